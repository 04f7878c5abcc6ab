"""The claim on one shard, as this process knows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pipeline.engine.brake import Brake
from pipeline.engine.keeper import GRACE

#: Part of a lease that is not used: two machines' clocks never run at quite the same speed.
_MARGIN = 0.1
#: Seconds for which what was paid for is kept while nobody can tell whose the shard is.
_PATIENCE = 600.0
#: Seconds between two looks at whether a renewal has come.
_LOOK = 0.1


class RedisLease:
    """:class:`pipeline.ports.Lease`: surely ours until a renewal stays away, lost only when the server says so.

    The time counts from when a renewal was *sent*, so that ours always ends before the server's does. A loop that
    is blocked, or a machine that was asleep, finds its lease run out without asking anybody; the next renewal says
    whether anybody has taken it meanwhile.

    Attributes:
        token: what the server knows us by.
        brake: the job's, once it is known.
        taken: when it was asked for, by the monotonic clock.
    """

    def __init__(
        self, token: str, seconds: float, sent: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.token = token
        self.brake: Brake | None = None
        self.taken = sent
        self._seconds = seconds * (1 - _MARGIN)
        self._clock = clock
        self._until = sent + self._seconds
        self._lost = False

    @property
    def gone(self) -> bool:
        return self._lost

    @property
    def renewed_at(self) -> float:
        """When the last renewal that the server has taken was sent, by the monotonic clock."""
        return self._until - self._seconds

    def held(self) -> bool:
        return not self._lost and self._clock() < self._until

    async def sure(self) -> bool:
        """Whether it is ours; waits while Redis does not say, and not for ever."""
        end, stopped = self._clock() + _PATIENCE, False
        while not (self._lost or self.held()) and self._clock() < end:
            if self.brake and self.brake.stopped and not stopped:
                stopped, end = True, min(end, self._clock() + GRACE)
            await asyncio.sleep(_LOOK)
        return self.held()

    def renewed(self, sent: float) -> None:
        """The server has taken the renewal that was sent at *sent*: nobody else has had the shard before it."""
        self._until = max(self._until, sent + self._seconds)

    def lost(self) -> None:
        """The server says that it is not ours, which is so for good."""
        self._lost = True
