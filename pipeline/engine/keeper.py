"""Repeats puts that must not be lost until the store accepts them; meanwhile no new call begins."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from pipeline.engine.brake import Brake
from pipeline.errors import StoreError
from pipeline.ports import Progress

T = TypeVar("T")

log = logging.getLogger("retouch.keeper")

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0
#: Seconds for which a stopped job keeps trying to store what was paid for.
GRACE = 20.0


class Keeper:
    """Keeps what was paid for until it is stored. While a put is failing, :meth:`ready` holds back new calls."""

    def __init__(self, brake: Brake, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._brake = brake
        self._clock = clock
        self._stopped_at: float | None = None
        self._progress = progress
        self._failing = 0
        self._ready = asyncio.Event()
        self._ready.set()

    async def ready(self) -> None:
        """Return once the store accepts puts."""
        await self._ready.wait()

    async def put(self, put: Callable[[], Awaitable[T]]) -> T:
        """The result of *put*, repeated while it raises :class:`StoreError`.

        Raises:
            StoreError: the store is still failing and the job was stopped, so nobody can wait for it.
        """

        async def once() -> T:
            # tenacity awaits the result only of a coroutine function, which a lambda is not.
            return await put()

        try:
            return await put()
        except StoreError as error:
            self._trouble(error)
        try:
            return await AsyncRetrying(
                retry=retry_if_exception_type(StoreError),
                wait=wait_exponential_jitter(initial=_FIRST_WAIT, max=_LONGEST_WAIT),
                stop=self._given_up,
                before_sleep=self._again,
                sleep=self._sleep,
                reraise=True,
            )(once)
        finally:
            self._failing -= 1
            if not self._failing:
                self._ready.set()
                self._progress.waiting(None)

    async def _sleep(self, seconds: float) -> None:
        if await self._brake.wait(seconds) and self._stopped_at is None:
            self._stopped_at = self._clock()
        if self._stopped_at is not None:
            await asyncio.sleep(_FIRST_WAIT)

    def _trouble(self, error: BaseException) -> None:
        self._failing += 1
        self._ready.clear()
        self._progress.waiting(str(error))
        log.warning("store_failed, no new calls until it works again: %s", error)

    def _again(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._progress.waiting(str(error))

    def _given_up(self, _state: RetryCallState) -> bool:
        """Whether the job was stopped, and the store was given its time nevertheless: this was paid for."""
        return self._stopped_at is not None and self._clock() - self._stopped_at > GRACE
