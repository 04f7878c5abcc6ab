"""Calls in flight, bounded for each job and for the whole process."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count


class JobSlots:
    """The slots of one job, each of which takes one of the process's too: the smaller bound holds.

    Of a job's shards the one that was taken first is served first, so that one is through, and its thread free for
    what a dead worker has left, before all have been begun. Between jobs the process's slots go in turn.
    """

    def __init__(self, limit: int, shared: asyncio.Semaphore) -> None:
        self._free = limit
        self._shared = shared
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._turn = count()

    def shard(self) -> ShardSlots:
        """The slots as the next shard sees them."""
        return ShardSlots(self, next(self._turn))

    def locked(self) -> bool:
        """Whether :meth:`acquire` would wait."""
        return not self._free or self._shared.locked()

    async def acquire(self, place: int = 0) -> bool:
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

    async def _wait(self, place: int) -> None:
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

    def __init__(self, job: JobSlots, place: int) -> None:
        self._job = job
        self._place = place

    def locked(self) -> bool:
        return self._job.locked()

    async def acquire(self) -> bool:
        return await self._job.acquire(self._place)

    def release(self) -> None:
        self._job.release()
