"""The shutdown of a worker: calls in flight get a grace period to finish."""

from __future__ import annotations

import asyncio
import logging
import os

from pipeline.errors import BrokerError
from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")

#: Seconds beyond the longest timeout of a call: to verify and store its picture, even while the store fails briefly.
_BEYOND = 30.0
#: Seconds for Celery to stop once no shard is left here, and for giving the leases back.
_STOP, _RELEASE = 10.0, 3.0


async def end_in_time(runner: ShardRunner) -> None:
    """Once *runner* is stopping, end the process when its grace period is over; cancelled if it ends by itself.

    Needed because Celery waits for its threads without a limit, and each of them waits for a shard.
    """
    await runner.stop_requested.wait()
    try:
        async with asyncio.timeout(_grace(runner)):
            await runner.idle.wait()
    except TimeoutError:
        log.critical("grace_period_over: ending although calls are in flight; their outcome is unknown")
        await _abandon(runner)
    else:
        await asyncio.sleep(_STOP)
        log.critical("ended_by_force: every shard was handed over, but the consumer did not stop")
    logging.shutdown()
    os._exit(1)


async def _abandon(runner: ShardRunner) -> None:
    try:
        async with asyncio.timeout(_RELEASE):
            await runner.abandon()
    except (BrokerError, TimeoutError) as error:
        log.warning("leases_not_released, they will expire: %r", error)


def _grace(runner: ShardRunner) -> float:
    asked = runner.tools.settings.grace
    if asked is not None:
        return asked
    return max((worker_job.timeout for worker_job in runner.jobs.open.values()), default=0.0) + _BEYOND
