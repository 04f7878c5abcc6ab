"""Calls in flight, bounded for each job and for the whole process."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from itertools import count

#: A shard's place among those of its job: whether it was begun here, not left by a dead worker; when it was taken.
Place = tuple[bool, int]
_FIRST: Place = (False, 0)


class JobSlots:
    """The slots of one job, each of which takes one of the process's too: the smaller bound holds.

    Of a job's shards the one that was taken first is served first, so that one is through, and its thread free,
    before all have been begun; what a dead worker has left goes before them. Between jobs the process's slots go in
    turn.
    """

    def __init__(self, limit: int, shared: asyncio.Semaphore) -> None:
        self._free = limit
        self._shared = shared
        self._waiting: list[tuple[Place, int, asyncio.Future[None]]] = []
        self._turn = count()

    def shard(self, begin: Callable[[], Awaitable[None]], *, left: bool = False) -> ShardSlots:
        """The slots as the next shard sees them.

        Args:
            begin: awaited when the shard has its first slot, before that is used.
            left: a dead worker has left it.
        """
        return ShardSlots(self, (not left, next(self._turn)), begin)

    def locked(self) -> bool:
        """Whether :meth:`acquire` would wait."""
        return not self._free or self._shared.locked()

    async def acquire(self, place: Place = _FIRST) -> bool:
        """Take a slot; of those that wait, the lowest *place* has the next."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(place)
        try:
            await self._shared.acquire()
        except BaseException:
            self._give_back()
            raise
        return True

    def release(self) -> None:
        """Give a slot back."""
        self._shared.release()
        self._give_back()

    async def _wait(self, place: Place) -> None:
        given = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (place, next(self._turn), given))
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._waiting:
            given = heapq.heappop(self._waiting)[2]
            if not given.done():
                given.set_result(None)
                return
        self._free += 1


class ShardSlots:
    """:class:`pipeline.jobrun.Slots` of one shard, which has its place among those of its job."""

    def __init__(self, job: JobSlots, place: Place, begin: Callable[[], Awaitable[None]]) -> None:
        self._job = job
        self._place = place
        self._begin = begin
        self._begun = False

    def locked(self) -> bool:
        return self._job.locked()

    async def acquire(self) -> bool:
        await self._job.acquire(self._place)
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
