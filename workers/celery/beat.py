"""Celery beat, with a scheduler of our own in it.

Beat's service has the loop, the signals and the logs; what it does in a round is ours. Its own scheduler keeps its
entries in one process's file, and RedBeat's moves an entry on before it publishes, so that a crash in between is a
run that never was: neither can say that a slot ran once.
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

#: Seconds between two rounds at most: so long it takes to see a new schedule, or that the process is to end.
LONGEST = 1.0
#: Seconds that what was begun is given at the end; the next scheduler goes on with what is left.
GRACE = 10.0
INTERRUPTED = 130


class Ticking(Protocol):
    """What is done by the clock."""

    async def tick(self) -> float:
        """One round; the seconds until the next is wanted."""
        ...

    async def settled(self) -> None:
        """Wait until what the rounds have begun has come to its end."""
        ...


def beat(
    redis_url: str, make_ticking: Callable[[Redis], Ticking], metrics: tuple[str, int] | None = None
) -> int:
    """Tick until told to end; the exit code.

    The first SIGTERM or Ctrl-C gives what was begun a moment to come to its end, the second ends at once: the next
    scheduler goes on with what is left.

    Args:
        redis_url: where live state is.
        make_ticking: what to do, with a client of that Redis.
        metrics: host and port at which metrics and health are served; ``None``: nowhere.

    Raises:
        BrokerError: Redis is out of reach.
        UsageError: nothing can be served at *metrics*.
    """
    check_redis(redis_url)
    app = make_app(redis_url)
    with _watched(metrics) as rounds, LoopThread() as loop:
        opened = _at_work(redis_url, make_ticking, rounds)
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
    """A scheduler without entries: the base class has them called by name, and by its own clock."""

    def setup_schedule(self) -> None:
        """There is nothing to set up."""


async def _awaited(ticking: Ticking) -> float:
    return await ticking.tick()


@contextlib.contextmanager
def _watched(metrics: tuple[str, int] | None) -> Iterator[Rounds | None]:
    if metrics is None:
        yield None
        return
    # A scheduler that nobody watches need not import what counts and serves.
    from workers.monitoring.scheduler import monitored_scheduler  # noqa: PLC0415

    with monitored_scheduler(*metrics) as rounds:
        yield rounds


@contextlib.asynccontextmanager
async def _at_work(
    redis_url: str, make_ticking: Callable[[Redis], Ticking], rounds: Rounds | None
) -> AsyncIterator[Ticking]:
    redis = connect(redis_url)
    feeling = asyncio.create_task(rounds.run()) if rounds else None
    ticking = make_ticking(redis)
    try:
        yield ticking
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ticking.settled(), GRACE)
        if feeling:
            await cancel_and_wait(feeling)
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
