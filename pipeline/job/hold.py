"""One ``run`` at a time on a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import JobError
from pipeline.store import Store

LOCK = ".retouch/run.lock"

#: How often, and for how many seconds, a lock is tried again that another may only be looking at.
_LOOKS, _A_LOOK = 5, 0.05


@contextlib.contextmanager
def held(store: Store) -> Iterator[None]:
    """Hold the folder of *store* while the block runs.

    The lock is the kernel's, so that it ends with the process, whatever ends it. An object store has none: there
    the create-only puts of intents keep two runs from paying twice.

    Raises:
        JobError: another live process holds it; the sentence says which.
    """
    if store.folder is None:
        yield
        return
    path = store.folder / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path, store.url) as descriptor:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield


def is_held(store: Store) -> bool:
    """Whether a live process holds the folder; looking needs no right to write."""
    if store.folder is None:
        return False
    try:
        descriptor = os.open(store.folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def _locked(path: Path, url: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            _lock(descriptor)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
            raise JobError(
                f"{url} is held by {holder}, which is running this job: wait for it, watch it with "
                f"`retouch watch {url}`, or stop it with Ctrl-C there"
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Take the lock; somebody who only looks has it for an instant."""
    for _ in range(_LOOKS):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_A_LOOK)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
