"""Slots: they bound the calls in flight, for each job and for the whole process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

from pipeline.engine.slots import AdjustableSlots

#: The lowest goes first among a job's shards: those that dead workers have left (false), then in the order taken.
Precedence = tuple[bool, int]
_FIRST: Precedence = (False, 0)


class JobSlots:
    """The slots of one job; each also takes one of the process's slots, so that the smaller bound applies.

    A job's shards are served in the order in which they were taken, so that one is finished, and its thread free,
    before all have been started; shards that dead workers have left go first. Jobs take turns at the process's slots.
    """

    def __init__(self, limit: int, shared: asyncio.Semaphore) -> None:
        self._own = AdjustableSlots(limit)
        self._shared = shared
        self._turn = count()

    @property
    def limit(self) -> int:
        """How many slots the job has here."""
        return self._own.limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._own.limit = limit

    def shard(self, begin: Callable[[], Awaitable[None]], *, orphaned: bool = False) -> ShardSlots:
        """The slots as the next shard sees them.

        Args:
            begin: awaited when the shard has its first slot, before that is used.
            orphaned: a dead worker has left it.
        """
        return ShardSlots(self, (not orphaned, next(self._turn)), begin)

    def locked(self) -> bool:
        """Whether :meth:`acquire` would wait."""
        return self._own.locked() or self._shared.locked()

    async def acquire(self, precedence: Precedence = _FIRST) -> bool:
        """Take a slot; of those that wait, the lowest *precedence* gets the next."""
        await self._own.acquire(precedence)
        try:
            await self._shared.acquire()
        except BaseException:
            self._own.release()
            raise
        return True

    def release(self) -> None:
        """Give a slot back."""
        self._shared.release()
        self._own.release()


class ShardSlots:
    """:class:`pipeline.engine.jobrun.Slots` of one shard, which has its precedence among those of its job."""

    def __init__(self, job: JobSlots, precedence: Precedence, begin: Callable[[], Awaitable[None]]) -> None:
        self._job = job
        self._precedence = precedence
        self._begin = begin
        self._begun = False

    def locked(self) -> bool:
        return self._job.locked()

    async def acquire(self) -> bool:
        await self._job.acquire(self._precedence)
        if not self._begun:
            try:
                await self._begin()
            except BaseException:
                self._job.release()
                raise
            self._begun = True
        return True

    def release(self) -> None:
        self._job.release()
