"""Which limit binds a job in this process: the judgement (pure)."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Limit(StrEnum):
    """What keeps a job from making more calls at the same time; the words of ``check`` where it has one."""

    #: Redis is away: no call may begin that others could not count.
    REDIS = "redis"
    #: The store fails: what is paid for could not be kept.
    STORE = "store"
    #: The API asked for a pause, or its quota for the day is used up.
    API = "api"
    #: What is left of ``--budget`` is set aside for calls in flight.
    BUDGET = "budget"
    #: The next start that ``--rpm`` allows is yet to come.
    RPM = "rpm"
    #: As many calls are in flight as ``--max-in-flight`` lets.
    SLOTS = "slots"
    #: Fewer rows than slots: the manifest's end, or pictures that are still being fetched.
    ROWS = "rows"


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a job here.

    Attributes:
        redis_away: Redis does not answer.
        waiting: the store fails, and is waited for.
        hold: seconds for which the API wants to be left alone.
        short: a call waits for money that other calls have set aside.
        booked: seconds until the latest start that was booked by the pace.
        full: all slots are taken.
    """

    redis_away: bool
    waiting: bool
    hold: float
    short: bool
    booked: float
    full: bool


def binding(pressure: Pressure) -> Limit:
    """The limit that binds: of several the one that holds calls back the longest."""
    found = (
        (Limit.REDIS, pressure.redis_away),
        (Limit.STORE, pressure.waiting),
        (Limit.API, pressure.hold > 0),
        (Limit.BUDGET, pressure.short),
        (Limit.RPM, pressure.booked > 0),
        (Limit.SLOTS, pressure.full),
    )
    return next((limit for limit, binds in found if binds), Limit.ROWS)
