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
        self._reported: dict[str, float] = {}
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
        jobs = dict(station.jobs)
        money = {job: purse.news() for job, purse in tools.purses.items()}
        asked = {job: money.get(job, "") for job in {*jobs, *(job for job, news in money.items() if news)}}
        holdings = list(station.holdings)
        said = [holding.held() for holding in holdings]
        sent = time.monotonic()
        kept, news = await tools.board.beat(tools.settings.lease, self._card(jobs), said, asked)
        for holding, held, still_ours in zip(holdings, said, kept, strict=True):
            if not still_ours:
                holding.lease.lost()
                continue
            holding.lease.renewed(sent)
            if holding.progress:
                holding.progress.said(held.totals)
        for job, sums_said in asked.items():
            if job in tools.purses:
                tools.purses[job].heard(sums_said)
        for job, here in jobs.items():
            await self._tell(here, news[job])

    def _card(self, jobs: dict[str, JobHere]) -> Card:
        settings = self._station.tools.settings
        lines = {job: here.line() for job, here in jobs.items()}
        return Card(settings.threads, settings.slots, lines)

    async def _tell(self, here: JobHere, news: News) -> None:
        here.hear(news)
        await self._station.announce(here)

    def _freshen(self) -> None:
        now = time.monotonic()
        for job, here in self._station.jobs.items():
            if now - self._reported.get(job, 0.0) >= FRESH:
                self._reported[job] = now
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
