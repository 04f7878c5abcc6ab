"""What :mod:`asyncio` lacks: bounded concurrency, waits with a time limit, cancelling that cannot get lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Seconds after which a cancelled task that keeps running is cancelled again.
_AGAIN = 0.5


async def bounded_map(work: Callable[[T], Awaitable[R]], items: Iterable[T], limit: int) -> list[R]:
    """The results of *work* on each of *items*, in their order, of which at most *limit* are worked on at a time.

    Raises what *work* raises first; what is under way then goes on.
    """
    free = asyncio.Semaphore(limit)

    async def one(item: T) -> R:
        async with free:
            return await work(item)

    return await asyncio.gather(*map(one, items))


async def ordered_map(work: Callable[[T], Awaitable[R]], items: Iterable[T], ahead: int) -> AsyncIterator[R]:
    """The result of *work* on each of *items*, one by one and in their order.

    At most *ahead* of them are worked on, or wait for those before them, at a time. Raises what *work* raises.
    """
    under_way: deque[asyncio.Future[R]] = deque()
    try:
        for item in items:
            under_way.append(asyncio.ensure_future(work(item)))
            if len(under_way) == ahead:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for future in under_way:
            future.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Whether *event* is set within *seconds*; returns as soon as it is."""
    # Not asyncio.wait_for(): in Python 3.11 it ignores a cancellation that comes at the same time as the event.
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


async def cancel_and_wait(*tasks: asyncio.Task[None]) -> None:
    """Cancel *tasks* until they end: in Python 3.11, redis-py ignores a cancellation that comes as a write ends."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)


def stay_cancelled() -> None:
    """Raise :class:`asyncio.CancelledError` if the running task was cancelled and redis-py has ignored that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
