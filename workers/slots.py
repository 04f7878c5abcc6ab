"""Calls in flight, bounded for each job and for the whole process."""

from __future__ import annotations

import asyncio
from typing import Literal


class JobSlots(asyncio.Semaphore):
    """The slots of one job, each of which takes one of the process's too: the smaller bound holds."""

    def __init__(self, limit: int, shared: asyncio.Semaphore) -> None:
        super().__init__(limit)
        self._shared = shared

    def locked(self) -> bool:
        return super().locked() or self._shared.locked()

    async def acquire(self) -> Literal[True]:
        await super().acquire()
        try:
            await self._shared.acquire()
        except BaseException:
            super().release()
            raise
        return True

    def release(self) -> None:
        self._shared.release()
        super().release()
