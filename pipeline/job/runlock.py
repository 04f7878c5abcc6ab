"""One ``run`` at a time on a folder."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from pipeline.errors import JobError
from pipeline.job.runlease import is_run_leased, run_lease
from pipeline.store import Store
from pipeline.store.disk import refused

LOCK = ".retouch/run.lock"

#: How often to try again, and after how many seconds, in case another process only checks the lock.
_LOOKS, _A_LOOK = 5, 0.05


@contextlib.asynccontextmanager
async def run_lock(store: Store, lost: Callable[[str], None] = lambda _: None) -> AsyncIterator[None]:
    """Hold the folder of *store* while the block runs.

    On a disk it is a lock of the kernel, which ends with the process, however that ends. On an object store it is a
    lease, which a stalled process may lose: *lost* is then called with a sentence about who has it. Even then,
    create-only puts of intents keep two runs from paying twice.

    Raises:
        JobError: another live process holds it; the message says which.
    """
    if store.folder is None:
        async with run_lease(store, lost):
            yield
        return
    path = store.folder / LOCK
    with file_lock(
        path,
        lambda holder: (
            f"{store.url} is held by {holder}, which is running this job: wait for it, follow it with "
            f"`retouch watch {store.url}`, or stop it with Ctrl-C there"
        ),
    ):
        yield


async def is_run_locked(store: Store) -> bool:
    """Whether a live process holds the folder; this check needs no permission to write."""
    if store.folder is None:
        return await is_run_leased(store)
    return await asyncio.to_thread(_is_locked, store.folder / LOCK)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # On a file system without locks no run can begin.
        return False
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def file_lock(path: Path, refusal: Callable[[str], str]) -> Iterator[None]:
    """Lock the file *path* while the block runs, and write into it who holds it.

    Raises:
        JobError: another live process holds it; *refusal* makes the message from that process's name.
        StoreError: the file cannot be written or locked.
    """
    try:
        descriptor = _locked(path, refusal)
    except OSError as error:
        raise refused("write", path, error) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(path: Path, refusal: Callable[[str], str]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
        os.close(descriptor)
        raise JobError(refusal(holder)) from error
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int) -> None:
    """Take the lock, which another process may hold for a moment just to check it."""
    for _ in range(_LOOKS):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_A_LOOK)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
