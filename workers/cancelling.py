"""Cancelling what talks to Redis."""

from __future__ import annotations

import asyncio

#: Seconds after which a task that was cancelled and goes on is cancelled again.
_AGAIN = 0.5


async def cancelled(*tasks: asyncio.Task[None]) -> None:
    """Cancel *tasks* until they end: in Python 3.11 a write of redis-py forgets a cancel that comes with its end."""
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)
