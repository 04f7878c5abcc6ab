"""Results on a local disk, or a mounted one."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.store import directio
from pipeline.store.leftovers import TEMPORARY, temporary_name
from pipeline.store.protocol import Bytes


class _Adrift(OSError):  # noqa: N818 - it is what has happened
    """The anchor, the file that proves the store to be the same as before, is gone."""


class DiskStore:
    """A folder on a local disk (or a mounted one)."""

    def __init__(self, folder: Path) -> None:
        self.folder: Path | None = folder.absolute()
        self.url = str(self.folder)
        self._root = folder.absolute()
        self._known_folders: set[Path] = set()
        self._anchor: Path | None = None

    def anchor(self, path: str) -> None:
        self._anchor = self._root / path

    async def put_new(self, path: str, data: Bytes, *, private: bool = False) -> bool:
        return await asyncio.to_thread(self._put_new, path, data, private=private)

    async def put(self, path: str, data: Bytes, *, durable: bool = True, private: bool = False) -> None:
        await asyncio.to_thread(self._put, path, data, durable=durable, private=private)

    async def put_file(self, path: str, source: Path, *, private: bool = False) -> None:
        await asyncio.to_thread(self._put_file, path, source, private=private)

    async def get(self, path: str, size: int | None = None) -> bytes | None:
        return await asyncio.to_thread(self._get, path, size)

    async def names(self, prefix: str) -> list[str]:
        return await asyncio.to_thread(self._names, prefix)

    async def delete(self, paths: list[str], *, durable: bool = False) -> None:
        await asyncio.to_thread(self._delete, paths, durable=durable)

    def _put_new(self, path: str, data: Bytes, *, private: bool) -> bool:
        target = self._root / path
        with self._written_to(target):
            temporary = self._written(data, private=private)
            try:
                self._make_folder(target.parent)
                os.link(temporary, target)
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
            _sync_folder(target.parent)
        return True

    def _put(self, path: str, data: Bytes, *, durable: bool, private: bool) -> None:
        target = self._root / path
        with self._written_to(target):
            temporary = self._written(data, durable=durable, private=private)
            self._make_folder(target.parent)
            temporary.replace(target)
            if durable:
                _sync_folder(target.parent)

    def _put_file(self, path: str, source: Path, *, private: bool) -> None:
        target = self._root / path
        with self._written_to(target):
            temporary = self._temporary()
            # From another file system the bytes are copied first; the last step is a rename in any case.
            shutil.move(source, temporary)
            if private:
                _close_to_readers(temporary)
            _sync_file(temporary)
            self._make_folder(target.parent)
            temporary.replace(target)
            _sync_folder(target.parent)

    def _get(self, path: str, size: int | None) -> bytes | None:
        target = self._root / path
        with self._sentences("read", target):
            try:
                with open(target, "rb") as file:
                    return file.read(-1 if size is None else size)
            except (FileNotFoundError, NotADirectoryError):
                self._look_for_anchor()
                return None

    def _names(self, prefix: str) -> list[str]:
        target = self._root / prefix
        with self._sentences("list", target):
            try:
                return sorted(os.listdir(target))  # noqa: PTH208 - names alone, without a Path for each
            except (FileNotFoundError, NotADirectoryError):
                self._look_for_anchor()
                return []

    def _delete(self, paths: list[str], *, durable: bool) -> None:
        for target in (self._root / path for path in paths):
            with self._sentences("delete", target):
                target.unlink(missing_ok=True)
                if durable and target.parent.is_dir():
                    _sync_folder(target.parent)

    @contextlib.contextmanager
    def _written_to(self, target: Path) -> Iterator[None]:
        """A write in this block counts only if the store was there before and after it."""
        with self._sentences("write", target):
            self._look_for_anchor()
            yield
            self._look_for_anchor()

    @contextlib.contextmanager
    def _sentences(self, what: str, target: Path) -> Iterator[None]:
        try:
            yield
        except _Adrift as error:
            self._known_folders.clear()
            raise StoreError(
                f"{target}: cannot {what}: {error} does not exist any more; mount its disk, or restore it"
            ) from error
        except OSError as error:
            # Somebody may have removed a folder: the next try makes it again.
            self._known_folders.clear()
            raise refused(what, target, error) from error

    def _look_for_anchor(self) -> None:
        if self._anchor is not None and not self._anchor.exists():
            raise _Adrift(str(self._anchor))

    def _written(self, data: Bytes, *, durable: bool = True, private: bool = False) -> Path:
        temporary = self._temporary()
        try:
            with open(temporary, "xb", buffering=0) as file:
                if private:
                    _close_to_readers(temporary)
                directio.write(file.fileno(), memoryview(data))
                if durable:
                    os.fsync(file.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _temporary(self) -> Path:
        self._make_folder(self._root / TEMPORARY)
        return self._root / TEMPORARY / temporary_name()

    def _make_folder(self, folder: Path) -> None:
        if folder in self._known_folders:
            return
        if not folder.is_dir():
            self._look_for_anchor()
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            _sync_folder(folder.parent)
        if len(self._known_folders) > 10_000:
            self._known_folders.clear()
        self._known_folders.add(folder)


def refused(what: str, target: Path, error: OSError) -> StoreError:
    """The error for a failure to *what* (``write``, for example) *target*, with the fix."""
    mend = _MENDS.get(error.errno or 0, "check the folder and its file system")
    return StoreError(f"{target}: cannot {what} ({error.strerror or error}); {mend}")


_ANOTHER = "choose another folder with --out or RETOUCH_STORE"
_MENDS = {
    errno.ENOSPC: "free space on the disk",
    errno.EDQUOT: "the quota is used up: free some space",
    errno.EACCES: "give this user permission to use it",
    errno.EPERM: "the file system must allow this user to write and to make hard links",
    errno.ENOTSUP: "the file system must support hard links",
    errno.EEXIST: f"there is a file with this name: {_ANOTHER}",
    errno.EISDIR: "there is a folder with this name: move it away",
    errno.ENOTDIR: f"there is a file with this name: {_ANOTHER}",
    errno.ENOLCK: f"the file system must have locks: {_ANOTHER}",
    errno.EROFS: f"the file system is read-only: {_ANOTHER}",
}


def _close_to_readers(file: Path) -> None:
    """Let only those read *file* who may write it.

    So the umask, or an ACL, says with whom a store is shared: a worker under another user must write there, too.
    """
    mode = stat.S_IMODE(file.stat().st_mode)
    # A file system that knows no such rights keeps none.
    with contextlib.suppress(OSError):
        file.chmod(mode & (0o222 | (mode & 0o222) << 1))


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# An entry is as durable as its folder, which is synced by the same call.
_sync_folder = _sync_file
