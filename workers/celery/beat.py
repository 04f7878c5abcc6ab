"""Celery beat, with a scheduler of our own in it.

Beat's service provides the loop; what a round does is ours. Neither of the usual schedulers can guarantee that a run
starts exactly once: beat's own keeps its entries in a file of one process, and RedBeat moves an entry on before it
publishes, so that a crash in between loses the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from celery.beat import Scheduler, Service
from redis.asyncio import Redis

from pipeline.concurrency import cancel_and_wait
from workers.celery.app import make_app
from workers.loop import LoopThread
from workers.shared.connection import check_redis, connect

if TYPE_CHECKING:
    from workers.monitoring.scheduler import Rounds

log = logging.getLogger("retouch.scheduler")

#: Seconds between two rounds at most: it takes that long to see a new schedule, or that the process is to end.
LONGEST = 1.0
#: Seconds at the end for runs that are being started; the next scheduler continues with the rest.
GRACE = 10.0
INTERRUPTED = 130


class Ticking(Protocol):
    """What a scheduler does in its rounds."""

    async def tick(self) -> float:
        """One round; the seconds until the next one is due."""
        ...

    async def settled(self) -> None:
        """Wait for what the rounds have started."""
        ...


def beat(
    redis_url: str, make_ticking: Callable[[Redis], Ticking], metrics: tuple[str, int] | None = None
) -> int:
    """Tick until told to stop; the exit code.

    The first SIGTERM or Ctrl-C gives runs that are being started a moment to finish; the second ends at once. The
    next scheduler continues with the rest.

    Args:
        redis_url: where live state is.
        make_ticking: what to do, with a client of that Redis.
        metrics: host and port for metrics and health; ``None``: they are not served.

    Raises:
        BrokerError: Redis is out of reach.
        UsageError: *metrics* cannot be served there.
    """
    check_redis(redis_url)
    app = make_app(redis_url)
    with _watched(metrics) as rounds, LoopThread() as loop:
        opened = _open_ticking(redis_url, make_ticking, rounds)
        ticking = loop.run(opened.__aenter__())

        class Beat(_Beat):
            def tick(self, *_: Any, **__: Any) -> float:
                wait = loop.run(_awaited(ticking))
                if rounds:
                    rounds.ended()
                return min(LONGEST, wait)

        service = Service(app, scheduler_cls=Beat, remote_control=False)
        told = _end_on_signals(service)
        log.info("scheduler_ready pid=%s", os.getpid())
        try:
            service.start()
        finally:
            loop.run(opened.__aexit__(None, None, None))
            app.close()
        return INTERRUPTED if told == [signal.SIGINT] else 0


class _Beat(Scheduler):  # type: ignore[misc] # Celery has no types
    """A scheduler without entries, which the base class would call by name and by its own clock."""

    def setup_schedule(self) -> None:
        """There is nothing to set up."""


async def _awaited(ticking: Ticking) -> float:
    return await ticking.tick()


@contextlib.contextmanager
def _watched(metrics: tuple[str, int] | None) -> Iterator[Rounds | None]:
    if metrics is None:
        yield None
        return
    # Imported late: without metrics, a scheduler starts faster and takes less memory.
    from workers.monitoring.scheduler import monitored_scheduler  # noqa: PLC0415

    with monitored_scheduler(*metrics) as rounds:
        yield rounds


@contextlib.asynccontextmanager
async def _open_ticking(
    redis_url: str, make_ticking: Callable[[Redis], Ticking], rounds: Rounds | None
) -> AsyncIterator[Ticking]:
    redis = connect(redis_url)
    watching = asyncio.create_task(rounds.run()) if rounds else None
    ticking = make_ticking(redis)
    try:
        yield ticking
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ticking.settled(), GRACE)
        if watching:
            await cancel_and_wait(watching)
        await redis.aclose()


def _end_on_signals(service: Service) -> list[int]:
    told: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if told:
            os._exit(1)
        told.append(number)
        log.info("scheduler_stopping: a second signal ends it at once")
        service.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return told
