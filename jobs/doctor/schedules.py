"""Schedules: is a scheduler running, and are any runs waiting to start?"""

from __future__ import annotations

import msgspec

from jobs.doctor.finding import Finding, fault, ok, warning
from jobs.schedule.book import ScheduleBook
from pipeline.report.words import plural
from pipeline.store import open_store
from workers.shared.schedules import Schedules
from workers.submitting import redis_at


class Timetable(msgspec.Struct, frozen=True, kw_only=True):
    """The schedules of a store that are neither paused nor removed.

    Attributes:
        live: how many there are.
        waiting: names of those with a run that has not started.
        scheduler: whether one is running.
    """

    live: int
    waiting: tuple[str, ...]
    scheduler: bool


async def read(store: str, redis_url: str) -> Timetable:
    """Read the schedules of *store*, and look in Redis for a scheduler.

    Raises:
        BrokerError, StoreError: they cannot be read.
    """
    book = ScheduleBook(open_store(store))
    found = [await book.schedule(name) for name in await book.names()]
    live = [schedule.name for schedule in found if schedule and schedule.live]
    waiting = [name for name in live if await book.open_slots(name)]
    async with redis_at(redis_url) as redis:
        there = await Schedules(redis, book.store.url).scheduler_there()
    return Timetable(live=len(live), waiting=tuple(waiting), scheduler=there)


def judge(table: Timetable) -> list[Finding]:
    """Judge whether scheduled runs will start; without a schedule there is nothing to say."""
    if not table.live:
        return []
    said = plural(table.live, "schedule")
    if not table.scheduler:
        text = f"{said}, but no scheduler is running, so nothing starts"
        return [fault("schedules", text, "start `retouch scheduler`")]
    if table.waiting:
        text = f"{said}; a run of {', '.join(table.waiting[:3])} is to begin"
        return [warning("schedules", text, "if this does not go away, see the log of `retouch scheduler`")]
    return [ok("schedules", f"{said}, and a scheduler is running")]
