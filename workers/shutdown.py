"""The end of a worker that was told to end: calls in flight finish, though not for ever."""

from __future__ import annotations

import asyncio
import logging
import os

from pipeline.errors import BrokerError
from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")

#: Seconds beyond the longest timeout of a call: to verify and store what it brought, also over a store that fails.
_BEYOND = 30.0
#: Seconds for Celery to end once no shard is here any more, and to say a last word to Redis.
_LAST, _WORD = 10.0, 3.0


async def end_in_time(runner: ShardRunner) -> None:
    """Once *runner* is stopping, end the process when its grace is over; cancelled when it ends by itself.

    Celery waits for its threads without an end, and each of them for a shard.
    """
    await runner.told_to_stop.wait()
    try:
        async with asyncio.timeout(_grace(runner)):
            await runner.idle.wait()
    except TimeoutError:
        log.critical("grace_period_over: ending although calls are in flight; their outcome is unknown")
        await _abandon(runner)
    else:
        await asyncio.sleep(_LAST)
        log.critical("ended_by_force: every shard was handed over, but the consumer did not stop")
    logging.shutdown()
    os._exit(1)


async def _abandon(runner: ShardRunner) -> None:
    try:
        async with asyncio.timeout(_WORD):
            await runner.abandon()
    except (BrokerError, TimeoutError) as error:
        log.warning("leases_not_released, they will expire: %r", error)


def _grace(runner: ShardRunner) -> float:
    asked = runner.tools.settings.grace
    if asked is not None:
        return asked
    return max((worker_job.timeout for worker_job in runner.jobs.open.values()), default=0.0) + _BEYOND
