"""The claim on one shard, as this process knows it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: Part of a lease that is not used: two machines' clocks never run at quite the same speed.
_MARGIN = 0.1


class RedisLease:
    """:class:`pipeline.ports.Lease`: ours until a renewal stays away.

    The time counts from when a renewal was *sent*, so that ours always ends before the server's does. A loop that
    is blocked, or a machine that was asleep, finds its lease run out without asking anybody.

    Attributes:
        token: what the server knows us by.
    """

    def __init__(
        self, token: str, seconds: float, sent: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.token = token
        self._seconds = seconds * (1 - _MARGIN)
        self._clock = clock
        self._until = sent + self._seconds

    def held(self) -> bool:
        return self._clock() < self._until

    async def sure(self) -> bool:
        """Whether it is ours."""
        return self.held()

    def renewed(self, sent: float) -> None:
        """The server has taken the renewal that was sent at *sent*, which never wakes a lease that is lost."""
        if self.held():
            self._until = max(self._until, sent + self._seconds)

    def lost(self) -> None:
        """The server says that it is not ours."""
        self._until = -math.inf
