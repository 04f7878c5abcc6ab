"""``retouch schedule list`` and ``show``: when schedules run next, and what came of their runs."""

from __future__ import annotations

import asyncio
import difflib
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from jobs import environment, output, words
from jobs.schedule.book import ScheduleBook
from jobs.schedule.options import as_typed
from jobs.schedule.schedule import At, Cron, Every, Schedule, When
from jobs.schedule.slots import Ended, Picked, SlotOutcome, moment_of
from jobs.schedule.timing import upcoming
from jobs.standing import Standings, registry, standings
from pipeline.errors import BrokerError, JobError, RetouchError
from pipeline.job.registry import find_exact
from pipeline.report.words import clipped, plural
from pipeline.status import Status
from pipeline.timestamp import utc
from workers.shared.schedules import Schedules
from workers.submitting import redis_at

_UPCOMING = 3
#: Characters of what came of a run in the list; `show` says all of it.
_CAME = 140
_WAITS = "see the log of `retouch scheduler`"
_NO_SCHEDULER = "No scheduler is running, so no run will start: start `retouch scheduler`."


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A slot and what became of it; *status* is the job's, where there is one."""

    slot: str
    at: str
    ended: Ended
    by_hand: bool
    missed: int
    job: str | None
    out: str | None
    reason: str | None
    picked: Picked | None
    status: Status | None = None


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as ``--json`` prints it; times are ISO 8601 in UTC. Runs that are *waiting* are yet to begin."""

    name: str
    when: str
    tz: str
    state: str
    next: list[str]
    overlap: str
    missed: str
    incremental: bool
    submit: str
    created_at: str
    waiting: list[str] = []
    last: Run | None = None
    runs: list[Run] | None = None

    @classmethod
    def of(cls, schedule: Schedule, now: float) -> ScheduleView:
        """*schedule* at the moment *now*, without its runs."""
        live = upcoming(schedule.when, max(now, schedule.since), _UPCOMING) if schedule.live else []
        return cls(
            name=schedule.name,
            when=when_in_words(schedule.when, schedule.tz),
            tz=schedule.tz,
            state="removed"
            if schedule.removed
            else "paused"
            if schedule.paused
            else "active"
            if live
            else "over",
            next=[utc(moment) for moment in live],
            overlap=schedule.overlap,
            missed=schedule.missed,
            incremental=schedule.incremental,
            submit=as_typed(schedule.options),
            created_at=utc(schedule.created_at),
        )


def show_all(*, json: bool) -> None:
    """Print every schedule of the store."""
    asyncio.run(_show_all(json=json))


def show_one(*, name: str, runs: int, json: bool) -> None:
    """Print a schedule and its last *runs* runs."""
    asyncio.run(_show_one(name, runs, json=json))


async def the_schedule(book: ScheduleBook, name: str) -> Schedule:
    """The schedule that a person means.

    Raises:
        JobError: there is none of that name.
    """
    # A name is a folder's, too: nothing else may be looked for.
    names = await book.names()
    found = await book.schedule(name) if name in names else None
    if found is None or found.removed:
        near = difflib.get_close_matches(name, names, 1)
        hint = (
            f"did you mean {near[0]}?" if near and near[0] != name else "`retouch schedule list` lists them"
        )
        raise JobError(f"no schedule {name!r} in {book.store.url}; {hint}")
    return found


def lines(shown: ScheduleView) -> list[str]:
    """*shown* for people."""
    upcoming_ = ", ".join(local(moment, shown.tz) for moment in shown.next) or "never"
    policies = f"overlap {shown.overlap}, missed {shown.missed}"
    return [
        f"{shown.name}  {shown.when}  ({shown.state})",
        f"  next    {upcoming_}",
        f"  submit  {shown.submit}",
        f"  {policies}{', incremental: only new and changed pictures' if shown.incremental else ''}",
    ]


def when_in_words(when: When, tz: str) -> str:
    """``0 2 * * * Europe/Paris``, ``every 6 h``, ``at 2026-12-24 18:00 CET``."""
    match when:
        case Cron(expression, zone):
            return f"{expression} {zone}"
        case Every(seconds):
            return f"every {_interval(seconds)}"
        case At(moment):
            return f"at {local(utc(moment), tz)}"


def local(moment: str, tz: str) -> str:
    """*moment* as a clock in *tz* shows it."""
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(tz)).strftime("%Y-%m-%d %H:%M %Z")


def _interval(seconds: int) -> str:
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts)


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
    await the_schedule(book, name)
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


def run_in_words(run: Run) -> str:
    """What became of a slot, in a line."""
    parts = [run.job] if run.job else [] if run.ended is Ended.NOTHING_NEW else [run.ended.value]
    if run.status is not None:
        parts += [words.state_line(run.status), words.outcomes_line(run.status)]
    if run.reason:
        parts.append(run.reason)
    if run.missed:
        parts.append(f"{run.missed:,} before it missed")
    if run.by_hand:
        parts.append("by hand")
    return " · ".join(parts)


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
