"""A limit for calls in flight that may be changed at any time."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import Any


class AdjustableSlots:
    """:class:`pipeline.engine.jobrun.Slots` whose number can be changed.

    The next slot goes to whoever waits with the lowest *place*, and among equals to who came first. While there are
    more calls in flight than slots, no new one begins.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = limit
        self._waiting: list[tuple[Any, int, asyncio.Future[None]]] = []
        self._turn = count()

    @property
    def limit(self) -> int:
        """How many there are."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._free += limit - self._limit
        self._limit = limit
        self._serve()

    def locked(self) -> bool:
        """Whether :meth:`acquire` would wait."""
        return self._free <= 0

    async def acquire(self, place: Any = ()) -> bool:
        """Take a slot."""
        if self._free > 0:
            self._free -= 1
            return True
        given = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (place, next(self._turn), given))
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():
                self.release()
            raise
        return True

    def release(self) -> None:
        """Give a slot back."""
        self._free += 1
        self._serve()

    def _serve(self) -> None:
        while self._free > 0 and self._waiting:
            given = heapq.heappop(self._waiting)[2]
            if not given.done():
                self._free -= 1
                given.set_result(None)
