"""The heartbeat: every lease of the process is renewed in one round trip; and a fresh report now and then."""

from __future__ import annotations

import asyncio
import logging
import time

from pipeline.errors import BrokerError, RetouchError
from pipeline.status import State
from workers.reporting import FRESH, freshen
from workers.shards.job import WorkerJob
from workers.shards.mark import ELSEWHERE
from workers.shards.station import Station
from workers.shared.board_types import WorkerCard

log = logging.getLogger("retouch.worker")

#: Seconds in which a heartbeat is answered, or tried again on a new connection.
_ANSWER = 2.0


class Heartbeat:
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
            here.hear(heard.news[job])
            await station.announce(here)

    def _money(self, jobs: dict[str, WorkerJob]) -> dict[str, str]:
        """What is to be said of each job here, and of one that has left with money unsaid."""
        unsaid = {job: purse.news() for job, purse in self._station.tools.purses.items()}
        return {job: sums for job, sums in unsaid.items() if sums or job in jobs}

    def _card(self, jobs: dict[str, WorkerJob]) -> WorkerCard:
        settings = self._station.tools.settings
        lines = {job: here.line() for job, here in jobs.items()}
        # No threads: if it is killed while it ends, no shard is to blame.
        return WorkerCard(0 if self._station.stopping else settings.threads, settings.slots, lines)

    def _freshen(self) -> None:
        now = time.monotonic()
        for here in self._station.jobs.values():
            if now - here.reported >= FRESH:
                here.reported = now
                task = asyncio.create_task(self._write(here))
                self._writing.add(task)
                task.add_done_callback(self._writing.discard)

    async def _write(self, here: WorkerJob) -> None:
        try:
            await here.correct()
            if not await self._station.marks.ours(here.folder):
                here.brake.stop(State.WAITING, ELSEWHERE)
            elif await freshen(self._station.tools.board, here.folder, here.spec.job):
                await self._station.marks.renew(here.folder)
        except RetouchError as error:
            log.warning("report_not_fresh job=%s: %s", here.spec.job, error)
