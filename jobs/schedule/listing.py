"""``retouch schedule list`` and ``show``: when schedules run next, and what became of their runs."""

from __future__ import annotations

import asyncio
import time

import msgspec

from jobs import environment, output
from jobs.schedule.book import ScheduleBook
from jobs.schedule.slots import SlotOutcome, moment_of
from jobs.schedule.view import Run, ScheduleView, lines, local, run_in_words
from jobs.standing import Standings, registry, standings
from pipeline.errors import BrokerError, RetouchError
from pipeline.job.registry import find_exact
from pipeline.report.words import clipped, plural
from pipeline.timestamp import utc
from workers.shared.schedules import Schedules
from workers.submitting import redis_at

#: Characters of a result in the list; `show` prints all of it.
_CAME = 140
_WAITS = "see the log of `retouch scheduler`"
_NO_SCHEDULER = "No scheduler is running, so no run will start: start `retouch scheduler`."


def show_all(*, json: bool) -> None:
    """Print every schedule of the store."""
    asyncio.run(_show_all(json=json))


def show_one(*, name: str, runs: int, json: bool) -> None:
    """Print a schedule and its last *runs* runs."""
    asyncio.run(_show_one(name, runs, json=json))


async def _show_all(*, json: bool) -> None:
    book = ScheduleBook(registry())
    await _say_who_is_there(book)
    async with standings() as known:
        found = [shown for name in await book.names() if (shown := await _shown(book, name, 1, known))]
    if json:
        output.write_json([msgspec.structs.replace(shown, last=_last(shown), runs=None) for shown in found])
    elif not found:
        output.say(f"No schedules in {book.store.url} yet: add one with `retouch schedule add`.")
    else:
        for line in _table(found):
            output.write_line(line)


async def _show_one(name: str, runs: int, *, json: bool) -> None:
    book = ScheduleBook(registry())
    await book.find(name)
    await _say_who_is_there(book)
    async with standings() as known:
        shown = await _shown(book, name, runs, known)
    if shown is None:
        return
    if json:
        output.write_json(msgspec.structs.replace(shown, last=_last(shown)))
        return
    for line in lines(shown):
        output.write_line(line)
    if shown.waiting:
        since = local(shown.waiting[0], shown.tz)
        output.write_line(f"  {plural(len(shown.waiting), 'run')} to begin since {since}: {_WAITS}")
    for run in shown.runs or []:
        output.write_line(f"  {local(run.at, shown.tz)}  {run_in_words(run)}")


async def _shown(book: ScheduleBook, name: str, runs: int, known: Standings) -> ScheduleView | None:
    schedule = await book.schedule(name)
    if schedule is None or schedule.removed:
        return None
    waiting = [utc(moment_of(slot)) for slot in await book.open_slots(name)]
    history = [await _run(book, outcome, known) for outcome in await book.history(name, runs)]
    return msgspec.structs.replace(ScheduleView.of(schedule, time.time()), waiting=waiting, runs=history)


async def _run(book: ScheduleBook, outcome: SlotOutcome, known: Standings) -> Run:
    status = None
    entry = await find_exact(book.store, outcome.job) if outcome.job else None
    if entry is not None:
        try:
            status = (await known.of(entry)).status
        except RetouchError:
            # Its folder was removed: what became of the slot is known all the same.
            status = None
    return Run(
        slot=outcome.slot,
        at=utc(outcome.moment),
        ended=outcome.ended,
        by_hand=outcome.by_hand,
        missed=outcome.missed,
        job=outcome.job,
        out=outcome.out,
        reason=outcome.reason,
        picked=outcome.picked,
        status=status,
    )


def _last(shown: ScheduleView) -> Run | None:
    return shown.runs[0] if shown.runs else None


def _table(found: list[ScheduleView]) -> list[str]:
    rows = [("NAME", "WHEN", "NEXT", "LAST RUN")]
    for shown in found:
        following = local(shown.next[0], shown.tz) if shown.next else shown.state
        last = _last(shown)
        came = f"{local(last.at, shown.tz)}  {run_in_words(last)}" if last else "never"
        if shown.waiting:
            came = f"one is to begin since {local(shown.waiting[0], shown.tz)}: {_WAITS}"
        rows.append((shown.name, shown.when, following, clipped(came, _CAME)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


async def _say_who_is_there(book: ScheduleBook) -> None:
    try:
        async with redis_at(environment.redis_url()) as redis:
            if not await Schedules(redis, book.store.url).scheduler_there() and await book.names():
                output.say(_NO_SCHEDULER)
    except BrokerError as error:
        output.say(f"{error}; whether a scheduler is running is not known.")
