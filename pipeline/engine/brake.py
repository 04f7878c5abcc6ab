"""Stops a job's rows from making more calls, and wakes those that are waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from pipeline.concurrency import wait_for_event
from pipeline.status import State

T = TypeVar("T")

#: Why a job is paused or ends, as users read it, from `run` and from workers alike.
PAUSED = "paused by `retouch pause`; `retouch resume` continues it"
CANCELLED = "cancelled by `retouch cancel`"
CANCELLING = "being cancelled: calls in flight finish, the rest is recorded as cancelled"
OVER_BUDGET = (
    "budget: the next call would exceed the job's budget; raise --budget and run the same command again"
)


def over_budget(reason: str | None) -> bool:
    """Whether *reason* says that a job was stopped by its own budget."""
    return (reason or "").startswith("budget:")


class Brake:
    """Stops one job in this process. Calls in flight may finish; no new ones begin.

    Attributes:
        state: why the job is stopped: cancelled, halted or paused; ``RUNNING`` while it is not.
            An interrupted process leaves its job ``QUEUED``, for the next process to continue.
        reason: what happened and how to fix it, in one sentence.
    """

    def __init__(self) -> None:
        self.state = State.RUNNING
        self.reason: str | None = None
        self._stopped = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Whether nothing new may be begun."""
        return self._stopped.is_set()

    @property
    def cancelled(self) -> bool:
        """Whether the remaining rows are to be settled as cancelled."""
        return self.state is State.CANCELLED

    def stop(self, state: State, reason: str | None = None) -> None:
        """Stop for *reason*. The first reason wins, but any replaces a pause, and a cancel replaces all."""
        if self.stopped and state is not State.CANCELLED and self.state is not State.PAUSED:
            return
        self.state, self.reason = state, reason
        self._stopped.set()

    def release(self) -> None:
        """Let the job continue."""
        self.state, self.reason = State.RUNNING, None
        self._stopped.clear()

    async def wait(self, seconds: float) -> bool:
        """Wait *seconds*, or until the job is stopped; whether it is stopped."""
        if seconds > 0 and not self.stopped:
            await wait_for_event(self._stopped, seconds)
        return self.stopped

    async def race(self, awaited: Awaitable[T]) -> T | None:
        """The result of *awaited*, or ``None`` if the job is stopped first (*awaited* is then cancelled)."""
        if self.stopped:
            if asyncio.iscoroutine(awaited):
                awaited.close()
            return None
        task = asyncio.ensure_future(awaited)
        stop = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            stop.cancel()
            if not task.done():
                task.cancel()
