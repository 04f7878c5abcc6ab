"""Waiting while Redis is away: calls are held back, and no row fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential_jitter,
)

from pipeline.engine.brake import Brake
from pipeline.errors import BrokerError

T = TypeVar("T")

log = logging.getLogger("retouch.redis")

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0


async def retry_until_stopped(ask: Callable[[], Awaitable[T]], brake: Brake, otherwise: T) -> T:
    """The answer of *ask*, repeated while Redis is away; *otherwise* when the job is stopped meanwhile."""

    async def once() -> T:
        # tenacity awaits only coroutine functions, and a lambda is none.
        return await ask()

    async def rest(seconds: float) -> None:
        await brake.wait(seconds)

    def away(state: RetryCallState) -> None:
        log.warning(
            "redis_away, no new calls until it is back: %s", state.outcome and state.outcome.exception()
        )

    try:
        return await AsyncRetrying(
            retry=retry_if_exception_type(BrokerError),
            wait=wait_exponential_jitter(initial=_FIRST_WAIT, max=_LONGEST_WAIT),
            stop=lambda _: brake.stopped,
            before_sleep=away,
            sleep=rest,
            reraise=True,
        )(once)
    except BrokerError:
        return otherwise


async def retry_for(ask: Callable[[], Awaitable[T]], seconds: float) -> T:
    """The answer of *ask*, repeated for *seconds* while Redis is away.

    Raises:
        BrokerError: it is away for longer.
    """

    async def once() -> T:
        return await ask()

    return await AsyncRetrying(
        retry=retry_if_exception_type(BrokerError),
        wait=wait_exponential_jitter(initial=_FIRST_WAIT, max=1.0),
        stop=stop_after_delay(seconds),
        reraise=True,
    )(once)
