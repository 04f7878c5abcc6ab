"""When the next call may start: the pure decision, and a pace for one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

#: The time zone of the API's days (gemini-api.md 5).
_PACIFIC = ZoneInfo("America/Los_Angeles")
#: Seconds of the longest pause that is not for a daily quota: the window of the spending limit, and its jitter.
_LONG = 900.0


def book(now: float, free_at: float, held_until: float, rpm: float | None) -> tuple[float, float]:
    """The start of the next call, and the time from which another may be booked.

    A generic cell rate algorithm without burst: starts are ``60 / rpm`` seconds apart, none before *held_until*.

    Args:
        now: seconds, on the same clock as the other times.
        free_at: when the pace allows the next start.
        held_until: until when the API told us to wait.
        rpm: calls per minute; ``None``: no limit of ours.
    """
    start = max(now, held_until) if rpm is None else max(now, free_at, held_until)
    return start, start if rpm is None else start + 60.0 / rpm


def seconds_to_new_day(now: datetime) -> float:
    """Seconds until daily quotas reset, at midnight in California, where a day may have 23 or 25 hours.

    Args:
        now: a time with a time zone.
    """
    here = now.astimezone(_PACIFIC)
    midnight = datetime.combine(here.date() + timedelta(days=1), time(), _PACIFIC)
    return midnight.timestamp() - now.timestamp()


def hold_said(seconds: float, now: float) -> str:
    """That the API asked for a pause of *seconds*, and until when."""
    until = datetime.fromtimestamp(now + seconds, UTC)
    if seconds <= _LONG:
        return f"the API asked for a pause; calls continue at {until:%H:%M:%S} UTC"
    return (
        f"the API's daily quota is used up; calls continue at {until:%Y-%m-%d %H:%M} UTC, "
        "when it resets (midnight Pacific time)"
    )


class AdjustableRate:
    """Calls per minute, which may change while a job runs; turns booked before are then void.

    Attributes:
        changed: set, and replaced by a new event, when the rate changes.
        booked: until when turns are booked, by the clock of the pace that books them.
    """

    def __init__(self, rpm: float | None) -> None:
        self.changed = asyncio.Event()
        self.booked = 0.0
        self._rpm = rpm

    @property
    def rpm(self) -> float | None:
        """Calls per minute over all processes; ``None``: no limit of ours."""
        return self._rpm

    @rpm.setter
    def rpm(self, rpm: float | None) -> None:
        if rpm != self._rpm:
            self._rpm, self.booked = rpm, 0.0
            self.changed.set()
            self.changed = asyncio.Event()


class LocalPace(AdjustableRate):
    """:class:`pipeline.ports.Pace` for one process, which never waits to book a turn."""

    crowded = False

    def __init__(self, rpm: float | None, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(rpm)
        self._clock = clock
        self._held_until: dict[str, float] = {}

    async def turn(self, model: str) -> float:
        now = self._clock()
        held = self._held_until.get(model, 0.0)
        start, self.booked = book(now, self.booked, held, self.rpm)
        return start - now

    def begin_anew(self) -> None:
        """Release turns that were booked and that nobody waits for any more."""
        if self.rpm is not None:
            self.booked = min(self.booked, self._clock() + 60.0 / self.rpm)

    async def hold(self, model: str, seconds: float) -> None:
        until = self._clock() + seconds
        self._held_until[model] = max(until, self._held_until.get(model, 0.0))

    async def held(self) -> float:
        return max(0.0, max(self._held_until.values(), default=0.0) - self._clock())
