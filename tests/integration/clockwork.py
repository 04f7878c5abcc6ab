"""Schedulers over a real store and a real server, by a clock that is moved.

What a run does is left out, so that a year takes minutes and not a year: its slots are kept in a list.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis

from jobs.schedule.book import ScheduleBook
from jobs.schedule.schedule import Schedule, When
from jobs.schedule.settling import Begin, outcome_of
from jobs.schedule.slots import Ended
from jobs.schedule.ticker import Ticker
from pipeline.store import open_store
from workers.shared.schedules import Schedules

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
END = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
DAY = 86_400


class Rounds:
    """A scheduler whose rounds are over when all is settled that they began."""

    def __init__(self, ticker: Ticker) -> None:
        self.ticker = ticker

    async def tick(self) -> None:
        await self.ticker.tick()
        await self.ticker.settled()


class World:
    """A store, a server and a clock; the runs that were begun in it."""

    def __init__(self, folder: Path, redis: Redis, now: float = START) -> None:
        self.folder = folder
        self.redis = redis
        self.now = now
        self.runs: list[tuple[str, int]] = []
        self.jobs: list[str] = []

    @property
    def book(self) -> ScheduleBook:
        """A new one each time: nothing of it is held in common."""
        return ScheduleBook(open_store(self.folder))

    @property
    def copies(self) -> Schedules:
        return Schedules(self.redis, str(self.folder))

    def scheduler(self, begin: Begin | None = None, copies: Schedules | None = None) -> Rounds:
        ticker = Ticker(self.book, copies or self.copies, begin or self.begin, clock=lambda: self.now)
        return Rounds(ticker)

    async def begin(self, schedule, claim):
        self.runs.append((schedule.name, int(claim.moment)))
        self.jobs.append(claim.job)
        return outcome_of(claim, Ended.STARTED)

    async def add(self, name: str, when: When, **settings) -> Schedule:
        made = Schedule(
            name=name,
            version=1,
            when=when,
            tz="UTC",
            options={"manifest": "/photos"},
            since=self.now,
            created_at=self.now,
            **settings,
        )
        assert await self.book.put(made)
        return made

    def moments(self, name: str) -> list[int]:
        return sorted(moment for run, moment in self.runs if run == name)
