"""A rate limit: so many calls in any minute, and a 429 that says when to try again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0


class RequestsPerMinute:
    """A rolling window of admitted calls."""

    def __init__(self, rpm: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rpm = rpm
        self._clock = clock
        self._let_in: deque[float] = deque()

    def admit(self) -> float:
        """0.0 if this call is admitted, otherwise the seconds until one would be."""
        now = self._clock()
        while self._let_in and self._let_in[0] <= now - WINDOW_S:
            self._let_in.popleft()
        if len(self._let_in) < self._rpm:
            self._let_in.append(now)
            return 0.0
        return self._let_in[0] + WINDOW_S - now
