"""Results on an object store, through obstore."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import obstore.store
from obstore.exceptions import AlreadyExistsError, BaseError

from pipeline.errors import StoreError
from pipeline.store.protocol import Bytes


class ObjectStore:
    """An object store, through obstore: S3, Google Cloud Storage, Azure, or memory in tests."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.folder: Path | None = None
        try:
            self._objects: Any = obstore.store.from_url(url)
        except (BaseError, ValueError) as error:
            raise StoreError(
                f"{url}: this is no store that retouch can write to ({_first_line(error)})"
            ) from error

    async def put_new(self, path: str, data: Bytes) -> bool:
        with self._sentences("write", path):
            try:
                await obstore.put_async(self._objects, path, bytes(data), mode="create")
            except AlreadyExistsError:
                return False
        return True

    async def put(self, path: str, data: Bytes, *, durable: bool = True) -> None:  # noqa: ARG002 - it always is
        with self._sentences("write", path):
            await obstore.put_async(self._objects, path, bytes(data))

    async def put_file(self, path: str, source: Path) -> None:
        with self._sentences("write", path):
            await obstore.put_async(self._objects, path, source)
        await asyncio.to_thread(source.unlink)

    async def get(self, path: str, size: int | None = None) -> bytes | None:
        with self._sentences("read", path):
            try:
                if size is not None:
                    return bytes(await obstore.get_range_async(self._objects, path, start=0, length=size))
                return bytes(await (await obstore.get_async(self._objects, path)).bytes_async())
            except FileNotFoundError:
                return None

    async def names(self, prefix: str) -> list[str]:
        with self._sentences("list", prefix):
            found = await obstore.list_with_delimiter_async(self._objects, prefix)
        entries = [*found["common_prefixes"], *(item["path"] for item in found["objects"])]
        return sorted(entry.rstrip("/").rpartition("/")[2] for entry in entries)

    async def delete(self, paths: list[str]) -> None:
        # Absent objects are no error on most stores; on those where they are, nothing is left to do.
        with self._sentences("delete", self.url), contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._objects, paths)

    @contextlib.contextmanager
    def _sentences(self, what: str, path: str) -> Iterator[None]:
        try:
            yield
        except BaseError as error:
            raise StoreError(f"{self.url}/{path}: cannot {what} ({_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].strip()
