"""Reads what others have put into a bucket: pictures, manifests, listings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import StoreError
from pipeline.store import lazy_obstore as obstore
from pipeline.store import refusals
from pipeline.store.access import clients

#: Names in one page of a listing, and bytes that are written at a time.
_PAGE, _PIECE = 1000, 1 << 20


class Missing(StoreError):  # noqa: N818 - it names what the object is
    """There is no such object, or no such bucket."""


class TooLarge(StoreError):  # noqa: N818 - it names what the object is
    """The object is larger than allowed."""


class ObjectEntry(NamedTuple):
    """An object in a folder: its name there, its size, and a version that changes with its content."""

    name: str
    size: int
    version: str


class Bucket:
    """The bucket at *root*, such as ``s3://bucket``. Methods raise :class:`StoreError`."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._objects: Any = clients(root).patient

    async def download(self, key: str, to: Path, max_bytes: int | None = None) -> None:
        """Download the object *key* into the file *to*.

        Raises:
            Missing: it does not exist.
            TooLarge: it has more than *max_bytes*.
        """
        with self._sentences("read", key):
            found = await obstore.get_async(self._objects, key)
            if max_bytes is not None and found.meta["size"] > max_bytes:
                raise TooLarge(f"{self.root}/{key} has over {max_bytes / 1e6:.0f} MB: make it smaller")
            with await asyncio.to_thread(to.open, "wb") as file:
                async for piece in found.stream(_PIECE):
                    await asyncio.to_thread(file.write, piece)

    def entries(self, folder: str) -> Iterator[ObjectEntry | str]:
        """The objects directly inside *folder*, and the names of its subfolders, in the store's order.

        Objects in subfolders are listed as well, and skipped.
        """
        last = None
        for entry in self.below(folder):
            name, inside, _ = entry.name.partition("/")
            if not inside and name:
                yield entry
            elif name and name != last:
                last = name
                yield name

    def below(self, folder: str) -> Iterator[ObjectEntry]:
        """Every object inside *folder*, however deep, in the store's order; one page at a time is in memory."""
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        with self._sentences("list", folder):
            for page in obstore.list(self._objects, prefix or None, chunk_size=_PAGE):
                for item in page:
                    version = item["e_tag"] or item["last_modified"].isoformat()
                    yield ObjectEntry(item["path"].removeprefix(prefix), item["size"], version)

    @contextmanager
    def _sentences(self, what: str, key: str) -> Iterator[None]:
        place = f"{self.root}/{key}" if key else self.root
        try:
            yield
        except FileNotFoundError as error:
            if refusals.is_no_bucket(error):
                raise Missing(refusals.sentence(place, what, error)) from None
            raise Missing(f"{place} does not exist: correct the URL") from None
        except obstore.exceptions.BaseError as error:
            raise StoreError(refusals.sentence(place, what, error)) from refusals.Said(error)
        except OSError as error:
            raise StoreError(
                f"{place}: cannot be kept on this machine ({error.strerror}): make room"
            ) from error


def split_url(url: str) -> tuple[str, str]:
    """The bucket of *url* as a URL, and the key in it: ``s3://bucket/a/b`` -> ``s3://bucket``, ``a/b``."""
    scheme, _, rest = url.partition("://")
    name, _, key = rest.partition("/")
    return f"{scheme.lower()}://{name}", key
