"""Results on an object store, through obstore: S3, Google Cloud Storage, Azure, or memory in tests.

A create-only put (``If-None-Match: *``) may have succeeded although its answer was lost. If it is repeated, the store
says that the object exists, which must not be mistaken for another writer's. So these puts are repeated here, where
the result of each is known, and not inside obstore: a doubtful one that finds exactly its own bytes has succeeded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pipeline.errors import StoreError
from pipeline.store import refusals
from pipeline.store.access import clients
from pipeline.store.protocol import Bytes

#: Tries of one create-only put; callers that must not give up start over (keeper.py).
_TRIES = 4
_WAIT = wait_random_exponential(multiplier=0.2, max=5)

#: Nothing was written, and another try would not help.
_REFUSED = (
    PermissionDeniedError,
    UnauthenticatedError,
    NotSupportedError,
    InvalidPathError,
    FileNotFoundError,
)

#: S3 answers 412 if the object exists, and 409 if another put or a removal is in progress, so that it may not.
_IS_THERE = 412

#: Browsers go by the type that the store sends.
_CONTENT_TYPES = {
    ".avif": "image/avif",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".png": "image/png",
    ".webp": "image/webp",
}


class _Conflict(Exception):  # noqa: N818 - it is what the store calls it
    """Another put was in progress, and there is no object yet: try again."""


class ObjectStore:
    """A bucket, or a prefix in it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.folder: Path | None = None
        self._objects, self._once = clients(url)
        self._in_doubt: set[str] = set()

    def anchor(self, path: str) -> None:
        """Nothing: a bucket that does not exist is an error anyway."""

    async def put_new(self, path: str, data: Bytes, *, private: bool = False) -> bool:  # noqa: ARG002
        body = bytes(data)
        tries = AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=_WAIT,
            retry=retry_if_exception_type((GenericError, _Conflict)),
            reraise=True,
        )
        with self._sentences("write", path):
            return await tries(self._create, path, body)

    async def _create(self, path: str, body: bytes) -> bool:
        doubtful = path in self._in_doubt
        # Before the put, because it may succeed however this ends, even if it is cancelled.
        self._in_doubt.add(path)
        try:
            await obstore.put_async(self._once, path, body, mode="create", attributes=_attributes(path))
        except AlreadyExistsError as error:
            return await self._lost(path, body, error, doubtful=doubtful)
        except _REFUSED:
            self._in_doubt.discard(path)
            raise
        self._in_doubt.discard(path)
        return True

    async def _lost(self, path: str, body: bytes, error: BaseException, *, doubtful: bool) -> bool:
        """Whether the existing object is ours after all.

        Raises:
            _Conflict: there is no object.
        """
        surely_there = refusals.http_status_of(error) in (None, _IS_THERE)
        there = await self._read(path) if doubtful or not surely_there else b""
        if there is None:
            raise _Conflict(refusals.said(error))
        self._in_doubt.discard(path)
        return doubtful and there == body

    async def put(
        self,
        path: str,
        data: Bytes,
        *,
        durable: bool = True,  # noqa: ARG002 - it always is
        private: bool = False,  # noqa: ARG002
    ) -> None:
        with self._sentences("write", path):
            await obstore.put_async(self._objects, path, bytes(data), attributes=_attributes(path))

    async def put_file(self, path: str, source: Path, *, private: bool = False) -> None:  # noqa: ARG002
        with self._sentences("write", path):
            await obstore.put_async(self._objects, path, source, attributes=_attributes(path))
        await asyncio.to_thread(source.unlink)

    async def get(self, path: str, size: int | None = None) -> bytes | None:
        with self._sentences("read", path):
            return await self._read(path, size)

    async def _read(self, path: str, size: int | None = None) -> bytes | None:
        try:
            if size is not None:
                return bytes(await obstore.get_range_async(self._objects, path, start=0, length=size))
            return bytes(await (await obstore.get_async(self._objects, path)).bytes_async())
        except FileNotFoundError as error:
            if refusals.is_no_bucket(error):
                raise
            return None
        except GenericError as error:
            if refusals.is_empty(error):
                return b""
            raise

    async def names(self, prefix: str) -> list[str]:
        with self._sentences("list", prefix):
            found = await obstore.list_with_delimiter_async(self._objects, prefix)
        entries = [*found["common_prefixes"], *(item["path"] for item in found["objects"])]
        # Consoles make a folder of an empty object with the folder's own name.
        inside = (entry.rstrip("/") for entry in entries if entry.strip("/") != prefix.strip("/"))
        return sorted(entry.rpartition("/")[2] for entry in inside)

    async def delete(self, paths: list[str], *, durable: bool = False) -> None:  # noqa: ARG002 - it always is
        with self._sentences("delete", paths[0] if paths else ""):
            try:
                await obstore.delete_async(self._objects, paths)
            except FileNotFoundError as error:
                if refusals.is_no_bucket(error):
                    raise
                await self._delete_each(paths)

    async def _delete_each(self, paths: list[str]) -> None:
        """Some stores stop deleting a list of objects at the first that does not exist."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                await obstore.delete_async(self._objects, [path])

    @contextlib.contextmanager
    def _sentences(self, what: str, path: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, FileNotFoundError, _Conflict) as error:
            place = f"{self.url}/{path}" if path else self.url
            raise StoreError(refusals.sentence(place, what, error)) from refusals.Said(error)


def _attributes(path: str) -> dict[str, Any] | None:
    kind = _CONTENT_TYPES.get("." + path.rpartition(".")[2])
    return {"Content-Type": kind} if kind else None
