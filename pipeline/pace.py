"""When the next call may start: the decision (pure) and its form for one process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from time import monotonic
from zoneinfo import ZoneInfo

#: Where the API's days begin (gemini-api.md 5).
_PACIFIC = ZoneInfo("America/Los_Angeles")


def book(now: float, free_at: float, held_until: float, rpm: float | None) -> tuple[float, float]:
    """The start of the next call and the time from which another may be booked.

    A generic cell rate without burst: starts are ``60 / rpm`` seconds apart, none before *held_until*.

    Args:
        now: seconds on any clock that the other times share.
        free_at: from when the pace allows a start.
        held_until: until when the API told us to wait.
        rpm: calls a minute; ``None``: no limit of ours.
    """
    start = max(now, held_until) if rpm is None else max(now, free_at, held_until)
    return start, start if rpm is None else start + 60.0 / rpm


def seconds_to_new_day(now: datetime) -> float:
    """Seconds until quotas a day are new: midnight in California, whose days may have 23 or 25 hours.

    Args:
        now: a time with its zone.
    """
    here = now.astimezone(_PACIFIC)
    midnight = datetime.combine(here.date() + timedelta(days=1), time(), _PACIFIC)
    return midnight.timestamp() - now.timestamp()


class LocalPace:
    """:class:`pipeline.ports.Pace` for one process."""

    def __init__(self, rpm: float | None, clock: Callable[[], float] = monotonic) -> None:
        self.rpm = rpm
        self._clock = clock
        self._free_at = 0.0
        self._held_until: dict[str, float] = {}

    async def turn(self, model: str) -> float:
        now = self._clock()
        held = self._held_until.get(model, 0.0)
        start, self._free_at = book(now, self._free_at, held, self.rpm)
        return start - now

    async def hold(self, model: str, seconds: float) -> None:
        until = self._clock() + seconds
        self._held_until[model] = max(until, self._held_until.get(model, 0.0))

    async def held(self) -> float:
        return max(0.0, max(self._held_until.values(), default=0.0) - self._clock())
