"""One ``run`` at a time on an object store, which has no locks: a lease that its holder keeps renewing.

::

    .retouch/run/<n>    the n-th lease of this folder; the highest is the current one

A lease is taken by creating the next number, which only one process can; its holder rewrites it every few seconds. A
process that sees it unchanged for :func:`ttl` seconds, by its own clock, takes the next number. A holder that was
stalled for that long finds the higher number and gives way. No number is used twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from pipeline.errors import JobError, StoreError, UsageError
from pipeline.store import Store

LEASES = ".retouch/run"

log = logging.getLogger("retouch.lease")

#: Seconds without renewal after which a lease expires, unless ``RETOUCH_LEASE_SECONDS`` says otherwise.
TTL = 20.0
#: Renewals within that time.
_BEATS = 6


class RunLease(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs the job: *beat* changes with every renewal, at the time *at* by the holder's clock."""

    holder: str
    token: str
    beat: int = 0
    at: float = 0.0
    released: bool = False


@contextlib.asynccontextmanager
async def run_lease(store: Store, lost: Callable[[str], None]) -> AsyncIterator[None]:
    """Hold the folder of *store* while the block runs; *lost* is called if another process takes it over.

    Raises:
        JobError: another live process holds it.
        StoreError: the store is not available.
    """
    number, lease = await _take(store)
    beating = asyncio.create_task(_keep(store, number, lease, lost))
    try:
        yield
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        await _release(store, number, lease)


async def is_run_leased(store: Store) -> bool:
    """Whether a lease was renewed recently; wrong if the clocks of the machines differ by much.

    Raises:
        StoreError: the store is not available.
    """
    _, lease = await _newest(store)
    return lease is not None and not lease.released and time.time() - lease.at < 2 * ttl()


def ttl() -> float:
    """Seconds without renewal after which a lease expires.

    Raises:
        UsageError: the environment variable is not a number.
    """
    text = os.environ.get("RETOUCH_LEASE_SECONDS") or str(TTL)
    try:
        return max(float(text), 0.5)
    except ValueError:
        raise UsageError(f"RETOUCH_LEASE_SECONDS={text!r} is not a number of seconds: fix it") from None


async def _take(store: Store) -> tuple[int, RunLease]:
    mine = RunLease(
        holder=f"process {os.getpid()} on {socket.gethostname()}", token=secrets.token_hex(8), at=time.time()
    )
    while True:
        number, lease = await _newest(store)
        if lease is not None and not lease.released:
            await _see_it_die(store, number, lease)
        if await store.put_new(_path(number + 1), msgspec.json.encode(mine)):
            await store.delete([_path(number)] if number else [])
            return number + 1, mine


async def _see_it_die(store: Store, number: int, lease: RunLease) -> None:
    """Wait until *lease* expires or is released.

    Raises:
        JobError: its holder is alive.
    """
    log.warning(
        "folder_held: %s was held by %s; looking for %.0f s whether it is still alive",
        store.url,
        lease.holder,
        ttl(),
    )
    end = time.monotonic() + ttl()
    while time.monotonic() < end:
        await asyncio.sleep(ttl() / _BEATS / 2)
        newest, now = await _newest(store)
        if newest == number and now is not None and now.released:
            return
        if (newest, now) != (number, lease):
            holder = (now or lease).holder
            raise JobError(
                f"{store.url} is held by {holder}, which is running this job: wait for it, follow it with "
                f"`retouch watch {store.url}`, or stop it with Ctrl-C there"
            )


async def _keep(store: Store, number: int, lease: RunLease, lost: Callable[[str], None]) -> None:
    """Renew the lease until cancelled, or until another process has taken it."""
    while True:
        await asyncio.sleep(ttl() / _BEATS)
        # While the store is not available, nobody else can take the lease either.
        with contextlib.suppress(StoreError):
            newest, now = await _newest(store)
            if newest > number:
                lost(f"{now.holder if now else 'another run'} has taken over this job: follow it there")
                return
            lease = msgspec.structs.replace(lease, beat=lease.beat + 1, at=time.time())
            await store.put(_path(number), msgspec.json.encode(lease))


async def _release(store: Store, number: int, lease: RunLease) -> None:
    # If this fails, the next process finds out by waiting.
    with contextlib.suppress(StoreError):
        if (await _newest(store))[0] == number:
            await store.put(_path(number), msgspec.json.encode(msgspec.structs.replace(lease, released=True)))


async def _newest(store: Store) -> tuple[int, RunLease | None]:
    numbers = [int(name) for name in await store.names(LEASES) if name.isdecimal()]
    number = max(numbers, default=0)
    data = await store.get(_path(number)) if number else None
    return number, None if data is None else msgspec.json.decode(data, type=RunLease)


def _path(number: int) -> str:
    return f"{LEASES}/{number:06d}"
