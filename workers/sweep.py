"""The sweep: what has neither lease nor message gets a message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from workers.board import Board, Hint


async def sweep(board: Board, publish: Callable[[Sequence[Hint]], None]) -> int:
    """Publish what has neither lease nor message; how many messages.

    Raises:
        BrokerError: Redis is out of reach.
    """
    hints = await board.sweep()
    if hints:
        await asyncio.to_thread(publish, hints)
    return len(hints)
