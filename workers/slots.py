"""Calls in flight, bounded for each job and for the whole process."""

from __future__ import annotations

import asyncio
from typing import Literal


class JobSlots(asyncio.Semaphore):
    """The slots of one job, each of which takes one of the process's too: the smaller bound holds.

    A semaphore by its type alone: it is made of two, since the base asks its own ``locked()`` when it acquires.
    """

    def __init__(self, limit: int, shared: asyncio.Semaphore) -> None:
        super().__init__(limit)
        self._own = asyncio.Semaphore(limit)
        self._shared = shared

    def locked(self) -> bool:
        return self._own.locked() or self._shared.locked()

    async def acquire(self) -> Literal[True]:
        await self._own.acquire()
        try:
            await self._shared.acquire()
        except BaseException:
            self._own.release()
            raise
        return True

    def release(self) -> None:
        self._shared.release()
        self._own.release()
