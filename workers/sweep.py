"""The sweep: what has neither lease nor message gets a message; what a dead worker has left is taken at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from workers.shared.board import Board, Hint


async def sweep(board: Board, publish: Callable[[Sequence[Hint]], None], room: int = 0) -> list[Hint]:
    """Publish what has neither lease nor message; the shards that are to be taken here, at most *room*.

    Raises:
        BrokerError: Redis is out of reach.
    """
    found = await board.sweep(room)
    hints = [hint for hint in found if not hint.here]
    if hints:
        await asyncio.to_thread(publish, hints)
    return [hint for hint in found if hint.here]
