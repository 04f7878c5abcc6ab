"""Which limit binds a job in this process: the decision (pure)."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class BindingLimit(StrEnum):
    """What keeps a job from making more calls at the same time; the words of ``check`` where it has one."""

    #: Redis is not available, so calls could not be counted across workers.
    REDIS = "redis"
    #: The store is failing, so paid pictures could not be stored.
    STORE = "store"
    #: The API asked for a pause, or its quota for the day is used up.
    API = "api"
    #: The rest of ``--budget`` is reserved for calls in flight.
    BUDGET = "budget"
    #: ``--rpm`` does not allow the next call yet.
    RPM = "rpm"
    #: As many calls are in flight as ``--max-in-flight`` allows.
    SLOTS = "slots"
    #: There are fewer rows than slots: the end of the manifest, or pictures still being fetched.
    ROWS = "rows"


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """What may hold back the calls of a job in this process.

    Attributes:
        redis_away: Redis does not answer.
        waiting: for the store, which fails.
        hold: seconds left of a pause that the API asked for.
        short: a call waits for money that is reserved for other calls.
        booked: seconds until the latest start that the pace has booked.
        full: all slots are taken.
    """

    redis_away: bool
    waiting: bool
    hold: float
    short: bool
    booked: float
    full: bool


def binding(pressure: Pressure) -> BindingLimit:
    """The limit that binds; of several, the first in the order of :class:`BindingLimit`."""
    found = (
        (BindingLimit.REDIS, pressure.redis_away),
        (BindingLimit.STORE, pressure.waiting),
        (BindingLimit.API, pressure.hold > 0),
        (BindingLimit.BUDGET, pressure.short),
        (BindingLimit.RPM, pressure.booked > 0),
        (BindingLimit.SLOTS, pressure.full),
    )
    return next((limit for limit, binds in found if binds), BindingLimit.ROWS)
