"""What several processes must agree on, as small protocols.

``pipeline`` carries an in-process form of each (for ``retouch run``), ``workers`` one over Redis. The way of
a row is the same code over both.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from pipeline.attempt import Attempt
from pipeline.record import Record
from pipeline.status import State, Totals


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """``control.json``: what people want of a job now.

    Attributes:
        state: ``running``, ``paused`` or ``cancelled``.
        rpm: calls per minute, in all processes together.
        budget: the limit in dollars.
        max_in_flight: parallel calls in each process.
        timeout: time limit of one call.
        adjusted: what ``null`` in a limit means: if true, no limit; otherwise the value in ``job.json``.
    """

    state: State = State.RUNNING
    rpm: float | None = None
    budget: float | None = None
    max_in_flight: int | None = None
    timeout: float | None = None
    adjusted: bool = False


class Pace(Protocol):
    """When the next call may start. Shared by all workers of a job; delays, never refuses.

    Attributes:
        changed: set, and replaced by another, when the pace is another: turns that were given before are void.
    """

    changed: asyncio.Event

    @property
    def crowded(self) -> bool:
        """Whether :meth:`turn` would wait for other turns first, so that a slot is better given to others."""
        ...

    async def turn(self, model: str) -> float:
        """Book the start of a call to *model*; the seconds until then."""
        ...

    async def hold(self, model: str, seconds: float) -> None:
        """Let nobody call *model* for *seconds*: the API said so. A longer hold is never shortened."""
        ...

    async def held(self) -> float:
        """Seconds for which the longest hold still lasts."""
        ...


class Budget(Protocol):
    """Money: reserved before a call, settled after it. Reserving is atomic over all workers of a job."""

    async def reserve(self, usd: float) -> bool:
        """Set *usd* aside; false when spent, reserved and *usd* together would pass the budget."""
        ...

    async def settle(self, reserved: float, spent: float) -> None:
        """Give back *reserved* and book *spent*."""
        ...


class Progress(Protocol):
    """Figures for those who watch; losing them loses nothing, they are rebuilt from records.

    Called on the event loop, so none of it waits.
    """

    def call_begun(self) -> None:
        """A request's body was begun."""
        ...

    def call_ended(self, attempt: Attempt) -> None:
        """A call came to its end, or was never begun."""
        ...

    def upload_begun(self) -> None:
        """A row has its pictures uploaded, ahead of its calls."""
        ...

    def upload_ended(self) -> None:
        """They are uploaded, or could not be."""
        ...

    def row_settled(self, record: Record) -> None:
        """A row has its record."""
        ...

    def found(self, totals: Totals) -> None:
        """Rows and calls of an earlier process, found in the job folder."""
        ...

    def waiting(self, reason: str | None) -> None:
        """The job waits for *reason* and goes on by itself; ``None``: it goes on."""
        ...


class Observer(Protocol):
    """Is told what happens, for machines that watch: metrics, traces. What it is about is ``task_context.current()``.

    Called on the event loop right after :class:`Progress`, so none of it waits.
    """

    def call_begun(self) -> None:
        """A request's body was begun."""
        ...

    def call_ended(self, attempt: Attempt) -> None:
        """A call came to its end, or was never begun."""
        ...

    def row_settled(self, record: Record) -> None:
        """A row has its record."""
        ...


class Lease(Protocol):
    """The claim on one shard: whoever holds it may call and put for its rows."""

    def held(self) -> bool:
        """Whether the lease is surely ours; asked right before each call, so it never waits."""
        ...

    async def sure(self) -> bool:
        """Whether the lease is ours; asked before each put.

        Waits while nobody can tell (Redis is away), for what is to be put was paid for; false once another
        has the shard, or nobody could tell for too long.
        """
        ...

    @property
    def gone(self) -> bool:
        """Whether it is known to be ours no more; else, when it is not :meth:`sure`, nobody could tell."""
        ...
