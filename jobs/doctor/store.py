"""The store: is it writable, and does it refuse to replace what exists? Leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import msgspec

from jobs.doctor.finding import Finding, fault, ok, warning
from pipeline.errors import StoreError
from pipeline.store import open_store, try_out

#: Bytes free below which a disk is nearly full: some hundred pictures.
_LITTLE = 1 << 30
#: Seconds for six requests, above which a job's calls wait for the store.
_SLOW = 6.0


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """The result of trying the store.

    Attributes:
        broken: why it cannot be used, and how to fix it.
        seconds: for all requests.
        free: bytes on the disk.
    """

    where: str
    broken: str | None = None
    seconds: float = 0.0
    free: int | None = None


async def read(location: str) -> Tried:
    """Try the store at *location*."""
    try:
        store = open_store(location)
        made = _missing(store.folder)
        began = time.monotonic()
        try:
            await try_out(store)
            seconds = time.monotonic() - began
            free = shutil.disk_usage(store.folder).free if store.folder else None
        finally:
            _remove(made)
    except StoreError as error:
        return Tried(where=location, broken=str(error))
    return Tried(where=store.url, seconds=seconds, free=free)


def _missing(folder: Path | None) -> list[Path]:
    """The folders that the trial will create, the innermost first."""
    if folder is None:
        return []
    paths = [folder / ".retouch/tmp", folder / ".retouch", folder, *folder.parents]
    return [path for path in paths if not path.exists()]


def _remove(made: list[Path]) -> None:
    for path in made:
        # Fails if somebody else has begun to use it, and it is not empty.
        with contextlib.suppress(OSError):
            os.rmdir(path)  # noqa: PTH106 - as the store makes them


def judge(tried: Tried) -> list[Finding]:
    """Judge the result."""
    if tried.broken:
        mend = "fix this, or choose another place with RETOUCH_STORE or --out"
        return [fault("store", tried.broken, mend)]
    found = []
    text = f"{tried.where} is writable and supports create-only writes ({tried.seconds * 1000:.0f} ms)"
    if tried.seconds > _SLOW:
        mend = "move workers and store closer together: every call waits for two writes"
        found.append(warning("store", text, mend))
    else:
        found.append(ok("store", text))
    if tried.free is not None and tried.free < _LITTLE:
        text = f"{tried.where} has {tried.free / 1e6:.0f} MB free; a picture needs 1 to 25 MB"
        found.append(warning("disk", text, "free some space: jobs wait while the disk is full"))
    return found
