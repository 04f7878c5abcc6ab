"""Reserves money before a call and settles it afterwards: the pure decision, and a budget for one process."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from pipeline.status import Totals


class Room(Enum):
    """Whether a call can be paid for."""

    YES = auto()
    #: Not now, but calls in flight may cost less than was reserved for them.
    LATER = auto()
    NO = auto()


#: Tolerance when sums of prices are compared, for rounding errors.
_GRACE = 1e-9


def room(limit: float | None, spent: float, reserved: float, price: float) -> Room:
    """Whether *price* fits under *limit* in addition to what is *spent* and *reserved*; all in dollars."""
    if limit is None or spent + reserved + price <= limit + _GRACE:
        return Room.YES
    return Room.LATER if reserved > 0 and spent + price <= limit + _GRACE else Room.NO


def maybe_paid(totals: Totals, price: float | None, in_flight: int = 0) -> float:
    """Dollars that calls without an answer or a usage may have cost, in addition to the known cost.

    Args:
        totals: those of a job.
        price: the estimate for one call.
        in_flight: how many of the calls without an answer are still in progress.
    """
    return (max(0, totals.calls_unknown - in_flight) + totals.calls_unpriced) * (price or 0.0)


class DearestTries:
    """By what factor the most expensive try of each model has exceeded its estimate, since drafts are billed, too."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}

    def aside(self, model: str, price: float) -> float:
        """Dollars to reserve for a try of *model* that is estimated at *price*."""
        return price * self._times.get(model, 1.0)

    def seen(self, model: str, price: float | None, cost: float | None) -> None:
        """Take note that a try of *model*, estimated at *price*, has cost *cost*; either may be unknown."""
        if price and cost:
            self._times[model] = max(self._times.get(model, 1.0), cost / price)


class LocalBudget:
    """:class:`pipeline.ports.Budget` for one process.

    Attributes:
        limit: dollars for the whole job; ``None``: no limit.
        unasked: dollars that may be spent before the user has confirmed the cost; ``None``: no need to confirm.
    """

    def __init__(self, limit: float | None, spent: float = 0.0, unasked: float | None = None) -> None:
        self.limit = limit
        self.unasked = unasked
        self.spent = spent
        self._reserved = 0.0
        self._changed = asyncio.Condition()

    @property
    def left(self) -> float | None:
        """Dollars that may still be spent; ``None``: no limit."""
        return None if self.limit is None else max(0.0, self.limit - self.spent)

    async def reserve(self, usd: float) -> bool:
        async with self._changed:
            while True:
                answer = room(self.limit, self.spent, self._reserved, usd)
                if answer is Room.NO:
                    return False
                if answer is Room.YES and room(self.unasked, self.spent, self._reserved, usd) is Room.YES:
                    self._reserved += usd
                    return True
                await self._changed.wait()

    async def settle(self, reserved: float, spent: float) -> None:
        async with self._changed:
            self._reserved = max(0.0, self._reserved - reserved)
            self.spent += spent
            self._changed.notify_all()

    async def limit_to(self, limit: float | None) -> None:
        """Change the budget to *limit*."""
        async with self._changed:
            self.limit = limit
            self._changed.notify_all()

    async def answered(self) -> None:
        """The user has confirmed: from now on only the budget limits the cost."""
        async with self._changed:
            self.unasked = None
            self._changed.notify_all()
