"""Celery beat, with a scheduler of our own in it.

Beat's service has the loop, the signals and the logs; what it does in a round is ours. Its own scheduler keeps its
entries in one process's file, and RedBeat's moves an entry on before it publishes, so that a crash in between is a
run that never was (engineering.md 6): neither can say that a slot ran once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from celery.beat import Scheduler, Service
from redis.asyncio import Redis

from workers.celery.app import make_app
from workers.shared.connection import check, connect

log = logging.getLogger("retouch.scheduler")

#: Seconds between two rounds at most: so long it takes to see a new schedule, or that the process is to end.
LONGEST = 1.0
INTERRUPTED = 130

#: One round; the seconds until the next is wanted.
Tick = Callable[[], Awaitable[float]]


def beat(redis_url: str, make_tick: Callable[[Redis], Tick]) -> int:
    """Tick until told to end; the exit code.

    The first SIGTERM or Ctrl-C lets the round that is being done come to its end, the second ends at once: what was
    begun then is gone on with by the next scheduler.

    Args:
        redis_url: where live state is.
        make_tick: what to do in a round, with a client of that Redis.

    Raises:
        BrokerError: Redis is out of reach.
    """
    check(redis_url)
    app = make_app(redis_url)
    with asyncio.Runner() as loop:
        redis = connect(redis_url)
        tick = make_tick(redis)

        class Rounds(_Rounds):
            def tick(self, *_: Any, **__: Any) -> float:
                return min(LONGEST, loop.run(_awaited(tick)))

        service = Service(app, scheduler_cls=Rounds, remote_control=False)
        told = _end_on_signals(service)
        log.info("scheduler_ready pid=%s", os.getpid())
        try:
            service.start()
        finally:
            loop.run(redis.aclose())
            app.close()
        return INTERRUPTED if told == [signal.SIGINT] else 0


class _Rounds(Scheduler):  # type: ignore[misc] # Celery has no types
    """A scheduler without entries: the base class has them called by name, and by its own clock."""

    def setup_schedule(self) -> None:
        """There is nothing to set up."""


async def _awaited(tick: Tick) -> float:
    return await tick()


def _end_on_signals(service: Service) -> list[int]:
    told: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if told:
            os._exit(1)
        told.append(number)
        log.info("scheduler_stopping")
        service.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return told
