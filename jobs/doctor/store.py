"""The store: can it be written, and does it refuse to create what is there? Leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path

import msgspec

from jobs.doctor.finding import Finding, fault, ok, warning
from pipeline.errors import StoreError
from pipeline.store import Store, open_store

#: Where a file is created for a moment.
_FOLDER = ".retouch/doctor"
#: Bytes free below which a disk is nearly full: some hundred pictures.
_LITTLE = 1 << 30
#: Seconds for one put, above which a job's calls wait for the store.
_SLOW = 2.0
#: Seconds for removing the file, also when there is no time for more.
_CLEANING = 3.0


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What came of creating a file twice, reading and removing it.

    Attributes:
        broken: why it could not be done.
        refused: the second creation was refused, as it must be.
        same: what was read is what was written.
        gone: it could be removed.
        seconds: for the first creation.
        free: bytes on the disk.
    """

    where: str
    broken: str | None = None
    refused: bool = False
    same: bool = False
    gone: bool = False
    seconds: float = 0.0
    free: int | None = None


async def read(location: str) -> Written:
    """Try the store at *location*."""
    try:
        store = open_store(location)
        folders = _missing(store.folder)
        try:
            return await _tried(store)
        finally:
            _tidy(store.folder, folders)
    except StoreError as error:
        return Written(where=location, broken=str(error))


async def _tried(store: Store) -> Written:
    path, mark = f"{_FOLDER}/{secrets.token_hex(12)}", secrets.token_bytes(64)
    began = time.monotonic()
    created = await store.put_new(path, mark)
    seconds = time.monotonic() - began
    try:
        again = await store.put_new(path, b"the second writer must lose")
        same = await store.get(path) == mark
    finally:
        async with asyncio.timeout(_CLEANING):
            await store.delete([path])
    return Written(
        where=store.url,
        refused=created and not again,
        same=same,
        gone=await store.get(path) is None,
        seconds=seconds,
        free=shutil.disk_usage(store.folder).free if store.folder else None,
    )


def _missing(folder: Path | None) -> list[Path]:
    """The folders that trying will make, the innermost first."""
    if folder is None:
        return []
    paths = [folder / _FOLDER, folder / ".retouch/tmp", folder / ".retouch", folder, *folder.parents]
    return [path for path in paths if not path.exists()]


def _tidy(folder: Path | None, made: list[Path]) -> None:
    for path in made if folder else []:
        # Not empty: somebody else has begun to use it.
        with contextlib.suppress(OSError):
            os.rmdir(path)  # noqa: PTH106 - as the store makes them


def judge(written: Written) -> list[Finding]:
    """What came of it means for jobs."""
    where = written.where
    if written.broken:
        mend = "mend it as it says, or choose another place with RETOUCH_STORE or --out"
        return [fault("store", written.broken, mend)]
    if not written.refused or not written.same:
        text = f"{where} lets two writers create the same file, so that a row could be settled twice"
        return [fault("store", text, "use a store with create-only puts (a local disk, S3, GCS, Azure)")]
    found = []
    text = f"{where} can be written, and creates no file twice ({written.seconds * 1000:.0f} ms)"
    if written.seconds > _SLOW:
        mend = "bring workers and store closer together: every call waits for two puts"
        found.append(warning("store", text, mend))
    else:
        found.append(ok("store", text))
    if not written.gone:
        mend = "let this user delete, or remove .retouch/doctor by hand now and then"
        found.append(warning("store", f"{where}: what was created could not be removed", mend))
    if written.free is not None and written.free < _LITTLE:
        text = f"{where} has {written.free / 1e6:.0f} MB free, and a picture takes 1 to 25 MB"
        found.append(warning("disk", text, "make room: jobs wait while the disk is full"))
    return found
