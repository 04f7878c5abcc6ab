"""What commands need from the workers: submit a job, control it, take it back, read its status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
from redis.asyncio import Redis

from pipeline.errors import JobError
from pipeline.job.folder import JobFolder
from pipeline.job.limits import limited, limits_asked
from pipeline.job.spec import Spec
from pipeline.ports import Wanted
from pipeline.status import State, Status
from workers.celery.app import make_app, publish
from workers.periodic.sweep import sweep
from workers.placing import REASONS, place
from workers.shared.board import Board
from workers.shared.connection import check_redis, connect
from workers.shared.status import read_status, workers_alive


class HandedOver(msgspec.Struct, frozen=True):
    """A job that was handed to the workers.

    Attributes:
        fresh: Redis did not know it before.
        workers: how many are alive; with none, somebody must start ``retouch worker``.
    """

    fresh: bool
    workers: int


@asynccontextmanager
async def redis_at(url: str) -> AsyncIterator[Redis]:
    """A client of the Redis at *url*, closed at the end of the block.

    Raises:
        BrokerError: Redis is out of reach.
    """
    await asyncio.to_thread(check_redis, url)
    redis = connect(url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def hand_over(redis_url: str, folder: JobFolder, spec: Spec, *, adjust: bool = False) -> HandedOver:
    """Hand a planned job to the workers, or resume one that they have; a job that Redis has lost is restored.

    ``control.json`` decides what is wanted of it. With *adjust*, the limits of *spec* are written there first, and
    that the job is to run, unless it is being cancelled.

    Raises:
        BrokerError: Redis is out of reach.
        JobError: the job is not planned to its end.
    """
    if await folder.planned() is None:
        raise JobError(f"{folder.store.url}: the manifest was not read completely; submit it again")
    async with redis_at(redis_url) as redis:
        board = Board(redis)
        wanted = await folder.wanted()
        if adjust:
            wanted = _adjusted(wanted, spec)
            await folder.want(wanted)
        fresh = await place(board, folder, spec, wanted)
        app = make_app(redis_url)
        try:
            await sweep(board, partial(publish, app))
        finally:
            app.close()
        return HandedOver(fresh, await workers_alive(redis))


async def withdraw(redis_url: str, job: str) -> bool:
    """Take a job away from the workers, if none is alive and none can come back to it; whether that was done.

    Raises:
        BrokerError: Redis is out of reach.
    """
    async with redis_at(redis_url) as redis:
        return await Board(redis).withdraw(job)


async def want(redis_url: str, folder: JobFolder, job: str, wanted: Wanted, *, goes_on: bool = True) -> bool:
    """Write what is wanted of a submitted job to ``control.json``, then tell the workers.

    The file first: a worker that misses the message reads it there.

    Args:
        redis_url: where live state is.
        folder: the job's.
        job: its id.
        wanted: what ``control.json`` is to say.
        goes_on: a job that a row has stopped continues, if that is what is wanted.

    Returns:
        Whether the workers have the job.

    Raises:
        BrokerError: Redis is out of reach; the file is written.
        StoreError: the file cannot be written.
    """
    await folder.want(wanted)
    async with redis_at(redis_url) as redis:
        return await Board(redis).want(job, wanted, REASONS.get(wanted.state, ""), repeated=not goes_on)


async def status_at(redis_url: str, job: str) -> Status | None:
    """The status object of *job* for a command that asks once; ``None`` when the workers do not have it.

    Raises:
        BrokerError: Redis is out of reach.
    """
    async with redis_at(redis_url) as redis:
        return await read_status(redis, job)


def _adjusted(there: Wanted, spec: Spec) -> Wanted:
    state = State.CANCELLED if there.state is State.CANCELLED else State.RUNNING
    return msgspec.structs.replace(limited(there, limits_asked(spec)), state=state)
