"""What several processes must agree on, as small protocols.

``pipeline`` implements each of them for one process (for ``retouch run``), ``workers`` over Redis. The code that
handles a row is the same for both.
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
    """Decides when the next call may start, for all workers of a job. It may delay a call, but never refuses one.

    Attributes:
        changed: set, and replaced by a new event, when the pace changes: turns booked before are void.
    """

    changed: asyncio.Event

    @property
    def crowded(self) -> bool:
        """Whether :meth:`turn` itself would have to wait, so that the caller should give up its slot first."""
        ...

    async def turn(self, model: str) -> float:
        """Book a start for a call to *model*; the seconds until then."""
        ...

    async def hold(self, model: str, seconds: float) -> None:
        """Let nobody call *model* for *seconds*, as the API asked. A longer hold is not shortened."""
        ...

    async def held(self) -> float:
        """Seconds until the longest hold ends."""
        ...


class Budget(Protocol):
    """Reserves money before a call and settles it afterwards, atomically over all workers of a job."""

    async def reserve(self, usd: float) -> bool:
        """Reserve *usd*; false if that would exceed the budget, together with what is spent and reserved."""
        ...

    async def settle(self, reserved: float, spent: float) -> None:
        """Release *reserved*, and add *spent* to what is spent."""
        ...


class Progress(Protocol):
    """Live figures. Losing them does no harm: they can be rebuilt from the records.

    Called on the event loop, so no method waits.
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
        """Rows and calls of earlier processes were found in the job folder."""
        ...

    def waiting(self, reason: str | None) -> None:
        """The job is waiting for *reason*, and continues by itself; ``None``: it continues now."""
        ...


class Observer(Protocol):
    """Hears what happens, for metrics and traces; ``task_context.current()`` says to which row.

    Called on the event loop right after :class:`Progress`, so no method waits.
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
    """The claim on one shard: its holder may call and put for its rows."""

    def held(self) -> bool:
        """Whether the lease is certainly ours; asked right before each call, so it does not wait."""
        ...

    async def sure(self) -> bool:
        """Whether the lease is ours; asked before each put.

        While this cannot be known (Redis is not available) it waits, because the result was paid for. False once
        another process has the shard, or if it could not be known for too long.
        """
        ...

    @property
    def gone(self) -> bool:
        """Whether it is known to be lost; if it is not, and :meth:`sure` is false, that could not be known."""
        ...
