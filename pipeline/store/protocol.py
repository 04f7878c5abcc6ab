"""The interface of a store."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

Bytes = bytes | bytearray | memoryview


class Store(Protocol):
    """What the rest of the program needs of a store. Every method raises :class:`StoreError`.

    What is put *private* is, on a disk, for those alone who may write there: plans and settings may hold passwords.
    In a bucket the bucket's own rules say who reads it.
    """

    url: str
    #: The root as a folder of this machine; ``None`` for an object store.
    folder: Path | None

    def anchor(self, path: str) -> None:
        """From now on, fail if the file *path* is missing: an unmounted disk leaves an empty folder behind."""
        ...

    async def put_new(self, path: str, data: Bytes, *, private: bool = False) -> bool:
        """Create *path*; false, without changing anything, if it exists already. Atomic over all writers."""
        ...

    async def put(self, path: str, data: Bytes, *, durable: bool = True, private: bool = False) -> None:
        """Create or replace *path*; a reader sees the old bytes or the new, never a mixture.

        If not *durable*, it may be missing or empty after a power failure.
        """
        ...

    async def put_file(self, path: str, source: Path, *, private: bool = False) -> None:
        """Create or replace *path* with a local file, which is then gone; for what is too big for memory."""
        ...

    async def get(self, path: str, size: int | None = None) -> bytes | None:
        """The bytes of *path* (the first *size* of them); ``None`` if the file does not exist."""
        ...

    async def names(self, prefix: str) -> list[str]:
        """Names of the files and folders directly inside the folder *prefix*, sorted."""
        ...

    async def delete(self, paths: list[str], *, durable: bool = False) -> None:
        """Remove *paths*; those that do not exist are skipped.

        If not *durable*, they may be back after a power failure.
        """
        ...
