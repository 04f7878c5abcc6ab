"""A schedule and its runs as people and ``--json`` see them; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from jobs import words
from jobs.schedule.options import as_typed
from jobs.schedule.schedule import At, Cron, Every, Schedule, When
from jobs.schedule.slots import Ended, Picked
from jobs.schedule.timing import upcoming
from pipeline.status import Status
from pipeline.timestamp import utc

_UPCOMING = 3


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
            state=_state(schedule, live),
            next=[utc(moment) for moment in live],
            overlap=schedule.overlap,
            missed=schedule.missed,
            incremental=schedule.incremental,
            submit=as_typed(schedule.options),
            created_at=utc(schedule.created_at),
        )


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


def _state(schedule: Schedule, upcoming_runs: Sequence[float]) -> str:
    if schedule.removed:
        return "removed"
    if schedule.paused:
        return "paused"
    return "active" if upcoming_runs else "over"
