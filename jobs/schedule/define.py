"""``retouch schedule add``, ``edit``, ``pause``, ``resume``, ``remove``: each writes a version of a schedule."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from jobs import environment, output
from jobs.schedule import time_options
from jobs.schedule.book import ScheduleBook
from jobs.schedule.options import changed, check, given
from jobs.schedule.schedule import Cron, Missed, Overlap, Schedule, When
from jobs.schedule.view import ScheduleView, lines
from jobs.standing import registry
from pipeline.errors import BrokerError, UsageError
from workers.shared.schedules import Schedules
from workers.submitting import redis_at

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_TIMES = ("cron", "every", "at")

#: What an edit makes of a schedule.
Change = Callable[[Schedule], Schedule]


def add(*, name: str, words: Sequence[str], json: bool, **values: Any) -> None:
    """Add the schedule *name*."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"NAME {name!r}: give up to 40 letters, digits, - and _, a letter or a digit first")
    now = time.time()
    options = given(words)
    tz = time_options.zone(values["tz"])
    when = _when(values, tz, now)
    if when is None:
        raise UsageError("when should it run? Give --cron, --every or --at")
    schedule = Schedule(
        name=name,
        version=1,
        when=when,
        tz=tz,
        options=options,
        incremental=check(options, incremental=values["incremental"]),
        overlap=Overlap(values["overlap"] or Overlap.SKIP),
        missed=Missed(values["missed"] or Missed.CATCH_UP),
        since=now,
        created_at=now,
    )
    asyncio.run(_add(schedule, json=json))


def edit(*, name: str, words: Sequence[str], json: bool, **values: Any) -> None:
    """Change what is given."""
    asyncio.run(_change(name, lambda there: _edited(there, words, values), json=json))


def pause(*, name: str, json: bool) -> None:
    """Start no more runs of *name* by the clock."""
    asyncio.run(_change(name, lambda there: msgspec.structs.replace(there, paused=True), json=json))


def resume(*, name: str, json: bool) -> None:
    """Continue the schedule *name*."""
    now = time.time()
    asyncio.run(
        _change(
            name,
            lambda there: msgspec.structs.replace(
                there, paused=False, since=now if there.paused else there.since
            ),
            json=json,
        )
    )


def remove(*, name: str, json: bool) -> None:
    """Remove *name*; its history stays in the store."""
    asyncio.run(_change(name, lambda there: msgspec.structs.replace(there, removed=True), json=json))


async def _add(schedule: Schedule, *, json: bool) -> None:
    book = ScheduleBook(registry())
    there = await book.schedule(schedule.name)
    if there is not None:
        if not there.removed:
            raise UsageError(
                f"schedule {schedule.name} exists: change it with `retouch schedule edit {schedule.name}`, "
                "or choose another name"
            )
        schedule = msgspec.structs.replace(schedule, version=there.version + 1)
    await _put(book, schedule)
    _tell(schedule, json=json)


async def _change(name: str, change: Change, *, json: bool) -> None:
    book = ScheduleBook(registry())
    there = await book.find(name)
    after = change(there)
    if after != there:
        after = msgspec.structs.replace(after, version=there.version + 1)
        await _put(book, after)
    _tell(after, json=json)


def _edited(there: Schedule, words: Sequence[str], values: dict[str, Any]) -> Schedule:
    now = time.time()
    tz = time_options.zone(values["tz"]) if values["tz"] else there.tz
    when = _when(values, tz, now)
    if when is None and isinstance(there.when, Cron):
        when = Cron(there.when.expression, tz)
    elif when is None:
        when = there.when
    options = changed(there.options, words) if words else there.options
    incremental = values["incremental"]
    if incremental is None and options.get("manifest") == there.options.get("manifest"):
        incremental = there.incremental
    return msgspec.structs.replace(
        there,
        when=when,
        tz=tz,
        options=options,
        incremental=check(options, incremental=incremental),
        overlap=Overlap(values["overlap"] or there.overlap),
        missed=Missed(values["missed"] or there.missed),
        # With another time, moments before the edit were never due.
        since=there.since if when == there.when else now,
    )


def _when(values: dict[str, Any], tz: str, now: float) -> When | None:
    """What --cron, --every or --at says; ``None`` when none of them is given.

    Raises:
        UsageError: more than one is given, or its value is not valid.
    """
    said = [name for name in _TIMES if values[name]]
    if len(said) > 1:
        raise UsageError(f"--{said[0]} and --{said[1]} exclude each other: give one of --cron, --every, --at")
    if values["cron"]:
        return time_options.cron(values["cron"], tz, now)
    if values["every"]:
        return time_options.every(values["every"], now)
    return time_options.at(values["at"], tz, now) if values["at"] else None


async def _put(book: ScheduleBook, schedule: Schedule) -> None:
    """Write a version: to the store, which is the truth, and then to Redis.

    Raises:
        UsageError: somebody else has changed the schedule at the same time.
    """
    if not await book.put(schedule):
        raise UsageError(f"schedule {schedule.name} was just changed by someone else: check it and try again")
    try:
        async with redis_at(environment.redis_url()) as redis:
            copies = Schedules(redis, book.store.url)
            await copies.keep(schedule.name, msgspec.json.encode(schedule).decode())
            if schedule.live and not await copies.scheduler_there():
                output.say("No scheduler is running: start `retouch scheduler`.")
    except BrokerError as error:
        output.say(f"{error}. The store has the schedule; a scheduler copies it to Redis.")


def _tell(schedule: Schedule, *, json: bool) -> None:
    shown = ScheduleView.of(schedule, time.time())
    if json:
        output.write_json(shown)
        return
    for line in lines(shown):
        output.write_line(line)
