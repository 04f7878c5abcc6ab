"""Times as users type them; a wrong one is refused with a sentence."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from tzlocal import get_localzone_name

from jobs.schedule.schedule import At, Cron, Every
from jobs.schedule.timing import upcoming
from pipeline.errors import UsageError

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d{1,9})\s*(min|[smhdw])", re.IGNORECASE)
_LEAST, _MOST = 60, 366 * 86_400


def zone(name: str | None) -> str:
    """The IANA name of a zone; of this machine's for ``None``.

    Raises:
        UsageError: there is no such zone.
    """
    if name is None:
        return _local_zone()
    known = {there.casefold(): there for there in _zones()}
    found = known.get(name.strip().casefold())
    if found is None:
        near = difflib.get_close_matches(name.casefold().replace(" ", "_"), _by_city(), 3, 0.8)
        meant = ", ".join(dict.fromkeys(_by_city()[match] for match in near))
        mend = f"did you mean {meant}?" if meant else "name one such as Europe/Paris or UTC"
        raise UsageError(f"--tz {name}: this time zone does not exist; {mend}")
    return found


def cron(expression: str, tz: str, now: float) -> Cron:
    """Five fields of cron.

    Raises:
        UsageError: they are not five, one of them is not valid, or the time never comes.
    """
    fields = expression.split()
    if len(fields) != 5:
        raise UsageError(
            f"--cron {expression!r}: give five fields (minute hour day month weekday), such as '0 2 * * *'"
        )
    try:
        CronSim(expression, datetime.fromtimestamp(now, UTC))
    except CronSimError as error:
        bad = str(error).removeprefix("Bad ")
        raise UsageError(f"--cron {expression!r}: its {bad} is not valid; see `man 5 crontab`") from error
    made = Cron(expression, tz)
    if not upcoming(made, now, 1):
        raise UsageError(f"--cron {expression!r}: no year has such a day")
    return made


def every(text: str, anchor: float) -> Every:
    """An interval such as ``6h``, ``90m`` or ``1d12h``, counted from *anchor*.

    Raises:
        UsageError: it is no interval, or one shorter than a minute or longer than a year.
    """
    rest = text.strip()
    seconds = 0
    while rest and (part := _PART.match(rest)):
        seconds += int(part[1]) * _UNITS[part[2].lower()]
        rest = rest[part.end() :].lstrip()
    if rest or not text.strip():
        raise UsageError(f"--every {text}: give an interval such as 30m, 6h, 1d or 1d12h")
    if seconds < _LEAST:
        raise UsageError(f"--every {text}: the shortest interval is a minute")
    if seconds > _MOST:
        raise UsageError(f"--every {text}: the longest interval is a year; give --at or --cron")
    return Every(seconds, int(anchor))


def at(text: str, tz: str, now: float) -> At:
    """An instant: local time in *tz*, or with an offset of its own.

    Raises:
        UsageError: it is no time, daylight saving skips it, or it has passed.
    """
    try:
        typed = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"--at {text}: give a day and a time such as 2026-12-24T18:00") from error
    if typed.tzinfo is None:
        typed = typed.replace(tzinfo=ZoneInfo(tz))
        if typed.astimezone(UTC).astimezone(typed.tzinfo).replace(tzinfo=None) != typed.replace(tzinfo=None):
            raise UsageError(
                f"--at {text}: this time is skipped by daylight saving in {tz}; give one an hour later"
            )
    moment = int(typed.timestamp())
    if moment <= now:
        raise UsageError(f"--at {text}: has passed, it is {_shown(now, typed.tzinfo or UTC)} now")
    return At(moment)


def _shown(moment: float, tz: tzinfo) -> str:
    return datetime.fromtimestamp(moment, tz).strftime("%Y-%m-%dT%H:%M:%S%z")


def _local_zone() -> str:
    # A container has no time zone, and its clock shows UTC; a name that IANA does not know is a custom file.
    name = get_localzone_name()
    return name if name in _zones() else "UTC"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _by_city() -> dict[str, str]:
    """Zones by what people type: the name, or its city alone."""
    names = sorted(
        name for name in _zones() if "/" in name and not name.startswith(("Etc/", "posix", "right"))
    )
    cities = {name.rpartition("/")[2].casefold(): name for name in names}
    return cities | {name.casefold(): name for name in names} | {"utc": "UTC"}
