"""What commands need of the workers: hand a job over, say what is wanted of it, see who is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
from redis.asyncio import Redis

from pipeline.edit import State, Status, Totals
from pipeline.errors import JobError
from pipeline.job.folder import JobFolder, Planned
from pipeline.job.spec import Spec
from pipeline.ports import Wanted
from workers.app import make_app, publish
from workers.board import Board
from workers.connection import check, connect
from workers.status import read_status, workers_alive
from workers.sweep import sweep

_REASONS = {
    State.PAUSED: "paused by `retouch pause`; `retouch resume` lets it go on",
    State.CANCELLED: "being cancelled: calls in flight are let finish, the rest is settled as cancelled",
}

#: Heads of folded shards that are read at once.
_READS = 32


class HandedOver(msgspec.Struct, frozen=True):
    """A job that the workers have.

    Attributes:
        fresh: Redis did not know it before.
        workers: how many were alive to take it; with none, somebody must start ``retouch worker``.
    """

    fresh: bool
    workers: int


@asynccontextmanager
async def redis_at(url: str) -> AsyncIterator[Redis]:
    """A client of the Redis at *url*, closed at the end of the block.

    Raises:
        BrokerError: Redis is out of reach.
    """
    await asyncio.to_thread(check, url)
    redis = connect(url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def hand_over(redis_url: str, folder: JobFolder, spec: Spec) -> HandedOver:
    """Give a planned job to the workers, or let one that they have go on; a job that Redis has lost is built anew.

    *spec* may differ from the folder's in what is adjustable; that is kept in ``control.json``.

    Raises:
        BrokerError: Redis is out of reach.
        JobError: the job is not planned to its end.
    """
    planned = await folder.planned()
    if planned is None:
        raise JobError(f"{folder.store.url}: the manifest is not read to its end; submit it again")
    async with redis_at(redis_url) as redis:
        board = Board(redis)
        wanted = _wanted(spec)
        await folder.want(wanted)
        fresh = await _open(board, folder, spec, planned, wanted)
        app = make_app(redis_url)
        try:
            await sweep(board, partial(publish, app))
        finally:
            app.close()
        return HandedOver(fresh, await workers_alive(redis))


async def announce(redis_url: str, job: str, wanted: Wanted) -> bool:
    """Tell the workers what ``control.json`` says already; false when they do not have the job.

    Raises:
        BrokerError: Redis is out of reach.
    """
    async with redis_at(redis_url) as redis:
        return await Board(redis).want(job, wanted, _REASONS.get(wanted.state, ""))


async def status_at(redis_url: str, job: str) -> Status | None:
    """The status object of *job* for a command that asks once; ``None`` when the workers do not have it.

    Raises:
        BrokerError: Redis is out of reach.
    """
    async with redis_at(redis_url) as redis:
        return await read_status(redis, job)


def _wanted(spec: Spec) -> Wanted:
    return Wanted(
        state=State.RUNNING,
        rpm=spec.rpm,
        budget=spec.budget,
        max_in_flight=spec.max_in_flight,
        timeout=spec.timeout,
    )


async def _open(board: Board, folder: JobFolder, spec: Spec, planned: Planned, wanted: Wanted) -> bool:
    await folder.look_for_rounds()
    folded = await _folded(folder, planned.shards)
    return await board.open(spec.job, folder.store.url, planned.rows, planned.shards, wanted, folded)


async def _folded(folder: JobFolder, shards: int) -> dict[int, Totals]:
    """The totals of the shards that are folded, from the job folder."""
    reading = asyncio.Semaphore(_READS)
    found: dict[int, Totals] = {}

    async def one(shard: int) -> None:
        async with reading:
            totals = await folder.folded(shard)
        if totals is not None:
            found[shard] = totals

    for first in range(1, shards + 1, 1000):
        await asyncio.gather(*map(one, range(first, min(first + 1000, shards + 1))))
    return found
