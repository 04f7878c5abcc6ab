"""When a schedule is due; pure: every moment is passed in.

Cron is read as Debian's cron does, by cronsim, with one rule more, so that no change of the clock skips or doubles a
run. An expression whose hours are all hours goes by real time: an hour after another there is the next run.
Any other names times of day: one that the spring leaves out runs in the first minute after it, one that the autumn
brings twice runs the first time. Debian's cron asks for a ``*`` at the start of a field instead, and would run
``0 */2 * * *`` twice at two o'clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim

from jobs.schedule.schedule import At, Cron, Every, When


def slots(when: When, after: float) -> Iterator[int]:
    """The moments at which *when* is due, all after *after*, each later than the one before it; may be endless."""
    match when:
        case At(moment):
            if moment > after:
                yield moment
        case Every(seconds, anchor):
            passed = max(0, math.floor((after - anchor) / seconds))
            moment = anchor + (passed + 1) * seconds
            while True:
                yield moment
                moment += seconds
        case Cron():
            yield from _cron_slots(when, after)


def due(when: When, after: float, until: float) -> list[int]:
    """The moments at which *when* is due, after *after* and not after *until*."""
    found = []
    for moment in slots(when, after):
        if moment > until:
            break
        found.append(moment)
    return found


def upcoming(when: When, after: float, count: int) -> list[int]:
    """The next *count* moments."""
    return list(islice(slots(when, after), count))


def _cron_slots(cron: Cron, after: float) -> Iterator[int]:
    start = datetime.fromtimestamp(math.floor(after), ZoneInfo(cron.tz))
    last = after
    for due_at in CronSim(_unambiguous(cron.expression), start):
        # From within a repeated hour cronsim starts at its first pass; and two times of a gap are one moment.
        moment = int(due_at.timestamp())
        if moment > last:
            last = moment
            yield moment


def _unambiguous(expression: str) -> str:
    """*expression* with its minutes and hours written out, so that a star says "every hour" and nothing else."""
    parsed = CronSim(expression, datetime(2000, 1, 1, tzinfo=UTC))
    hours = "*" if len(parsed.hours) == 24 else _listed(parsed.hours)
    return " ".join([_listed(parsed.minutes), hours, *expression.split()[2:]])


def _listed(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
