"""Waiting for something that may not come in time."""

from __future__ import annotations

import asyncio


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Whether *event* is set within *seconds*; returns as soon as it is."""
    # Not asyncio.wait_for(): in Python 3.11 it forgets that it was cancelled when the event comes at the same time.
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
