"""What a worker process does by the clock: the heartbeat, the sweep, a fresh report."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from pipeline.errors import BrokerError, RetouchError
from pipeline.status import State
from workers.finishing import FRESH, freshen
from workers.jobhere import JobHere
from workers.mark import ELSEWHERE
from workers.shared.board import Card, Hint, News
from workers.station import Station
from workers.sweep import sweep
from workers.watch import Watch

log = logging.getLogger("retouch.worker")

#: Seconds between two sweeps, and between two that freed threads ask for.
SWEEP, _SOONEST = 1.0, 0.1
#: Seconds in which a heartbeat is answered, or tried again on a new connection; the longest between two sweeps while
#: Redis is away.
_ANSWER, _LONGEST = 2.0, 5.0


class Heart:
    """Renews every lease of the process in one round trip, says how far it is, and hears what is wanted."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._writing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Beat until cancelled."""
        away: float | None = None
        while True:
            began = time.monotonic()
            try:
                await self.beat()
                if away is not None:
                    log.warning("redis_back after %.0f s", time.monotonic() - away)
                away = None
            except (BrokerError, TimeoutError) as error:
                if away is None:
                    away = began
                    log.warning("redis_away, no new calls until it is back: %r", error)
            self._freshen()
            await asyncio.sleep(max(0.0, began + self._station.tools.settings.beat - time.monotonic()))

    async def beat(self) -> None:
        """One beat.

        Raises:
            BrokerError: Redis is out of reach.
            TimeoutError: it does not answer.
        """
        station, tools = self._station, self._station.tools
        jobs, holdings = dict(station.jobs), list(station.holdings)
        said = [holding.held() for holding in holdings]
        money = self._money(jobs)
        sent = time.monotonic()
        async with asyncio.timeout(max(_ANSWER, tools.settings.lease / 3)):
            heard = await tools.board.beat(tools.settings.lease, self._card(jobs), said, money)
        station.heard = time.monotonic()
        for holding, held, ours in zip(holdings, said, heard.kept, strict=True):
            holding.heard(held, sent, ours=ours)
        for job, sums in money.items():
            tools.purses[job].counted_from(heard.news[job].born)
            tools.purses[job].heard(sums, heard.news[job].born)
        if not heard.known or any(heard.news[job].state is None for job in jobs):
            station.lost.set()
        for job, here in jobs.items():
            await self._tell(here, heard.news[job])

    def _money(self, jobs: dict[str, JobHere]) -> dict[str, str]:
        """What is to be said of each job here, and of one that has left with money unsaid."""
        unsaid = {job: purse.news() for job, purse in self._station.tools.purses.items()}
        return {job: sums for job, sums in unsaid.items() if sums or job in jobs}

    def _card(self, jobs: dict[str, JobHere]) -> Card:
        settings = self._station.tools.settings
        lines = {job: here.line() for job, here in jobs.items()}
        # No threads: if it is killed while it ends, no shard is to blame.
        return Card(0 if self._station.stopping else settings.threads, settings.slots, lines)

    async def _tell(self, here: JobHere, news: News) -> None:
        here.hear(news)
        await self._station.announce(here)

    def _freshen(self) -> None:
        now = time.monotonic()
        for here in self._station.jobs.values():
            if now - here.reported >= FRESH:
                here.reported = now
                task = asyncio.create_task(self._write(here))
                self._writing.add(task)
                task.add_done_callback(self._writing.discard)

    async def _write(self, here: JobHere) -> None:
        try:
            await here.correct()
            if not await self._station.marks.ours(here.folder):
                here.brake.stop(State.WAITING, ELSEWHERE)
            elif await freshen(self._station.tools.board, here.folder, here.spec.job):
                await self._station.marks.renew(here.folder)
        except RetouchError as error:
            log.warning("report_not_fresh job=%s: %s", here.spec.job, error)


async def sweep_for_ever(station: Station, publish: Callable[[Sequence[Hint]], None], watch: Watch) -> None:
    """Sweep until cancelled: by the clock, and soon after a thread has become free."""
    pause = SWEEP
    while True:
        station.more.clear()
        try:
            for left in await sweep(station.tools.board, publish, station.room):
                station.take(left.job, left.shard)
            await watch.look()
            pause = SWEEP
        except BrokerError as error:
            pause = min(2 * pause, _LONGEST)
            log.info("sweep_missed, the next is in %.0f s: %s", pause, error)
        await asyncio.sleep(_SOONEST)
        # Not wait_for(): in Python 3.11 it forgets that it was cancelled when the event comes at the same time.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await station.more.wait()
