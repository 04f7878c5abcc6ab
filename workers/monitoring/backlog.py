"""The open work of all workers together, as Redis knows it."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from pipeline.record import Outcome
from workers.shared.connection import reaching
from workers.shared.keys import ACTIVE, QUEUE_LISTS, of_job
from workers.shared.status import workers_alive

_OUTCOMES = tuple(f"outcome:{outcome}" for outcome in Outcome)


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """Open work, and the workers there are for it.

    Attributes:
        messages: in the queue.
        jobs: that have not ended.
        shards: of these jobs, that no worker holds.
        rows: of these jobs, that are not settled.
        workers: that are alive.
    """

    messages: int
    jobs: int
    shards: int
    rows: int
    workers: int


async def backlog(redis: Redis) -> Backlog:
    """Read the open work, in three round trips.

    Raises:
        BrokerError: Redis is out of reach.
    """
    with reaching(redis):
        pipe = redis.pipeline(transaction=False)
        for name in QUEUE_LISTS:
            pipe.llen(name)
        pipe.zrange(ACTIVE, 0, -1)
        *messages, jobs = await pipe.execute()
        for job in jobs:
            pipe.zcard(of_job(job, "todo"))
            pipe.hmget(of_job(job, "head"), "rows", *_OUTCOMES)
        found = await pipe.execute()
    return Backlog(
        messages=sum(messages),
        jobs=len(jobs),
        shards=sum(found[::2]),
        rows=sum(_pending(counts) for counts in found[1::2]),
        workers=await workers_alive(redis),
    )


def _pending(counts: list[str | None]) -> int:
    rows, *settled = (int(count or 0) for count in counts)
    return max(0, rows - sum(settled))
