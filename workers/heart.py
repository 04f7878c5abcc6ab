"""What a worker process does by the clock: the heartbeat, the sweep, a fresh report."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from pipeline.errors import BrokerError, RetouchError
from workers.board import Card, Hint, News
from workers.finishing import FRESH, freshen
from workers.jobhere import JobHere
from workers.station import Station
from workers.sweep import sweep

log = logging.getLogger("retouch.worker")

#: Seconds between two sweeps, and between two that freed threads ask for.
SWEEP, _SOONEST = 2.0, 0.1


class Heart:
    """Renews every lease of the process in one round trip, says how far it is, and hears what is wanted."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._writing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            began = time.monotonic()
            try:
                await self.beat()
            except BrokerError as error:
                log.warning("beat_missed, leases run out if it lasts: %s", error)
            self._freshen()
            await asyncio.sleep(max(0.0, began + self._station.tools.settings.beat - time.monotonic()))

    async def beat(self) -> None:
        """One beat.

        Raises:
            BrokerError: Redis is out of reach.
        """
        station, tools = self._station, self._station.tools
        jobs, holdings = dict(station.jobs), list(station.holdings)
        said = [holding.held() for holding in holdings]
        money = self._money(jobs)
        sent = time.monotonic()
        kept, news = await tools.board.beat(tools.settings.lease, self._card(jobs), said, money)
        for holding, held, still_ours in zip(holdings, said, kept, strict=True):
            holding.heard(held, sent, still_ours=still_ours)
        for job, sums in money.items():
            tools.purses[job].heard(sums)
        for job, here in jobs.items():
            await self._tell(here, news[job])

    def _money(self, jobs: dict[str, JobHere]) -> dict[str, str]:
        """What is to be said of each job here, and of one that has left with money unsaid."""
        unsaid = {job: purse.news() for job, purse in self._station.tools.purses.items()}
        return {job: sums for job, sums in unsaid.items() if sums or job in jobs}

    def _card(self, jobs: dict[str, JobHere]) -> Card:
        settings = self._station.tools.settings
        lines = {job: here.line() for job, here in jobs.items()}
        return Card(settings.threads, settings.slots, lines)

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
            await freshen(self._station.tools.board, here.folder, here.spec.job)
        except RetouchError as error:
            log.warning("report_not_fresh job=%s: %s", here.spec.job, error)


async def sweep_for_ever(station: Station, publish: Callable[[Sequence[Hint]], None]) -> None:
    """Sweep until cancelled: by the clock, and soon after a thread has become free."""
    while True:
        station.more.clear()
        try:
            await sweep(station.tools.board, publish)
        except BrokerError as error:
            log.warning("sweep_missed, the next is in %.0f s: %s", SWEEP, error)
        await asyncio.sleep(_SOONEST)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(station.more.wait(), SWEEP)
