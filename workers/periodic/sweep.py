"""The sweep: what has neither lease nor message gets a message; what a dead worker has left is taken at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipeline.concurrency import wait_for_event
from pipeline.errors import BrokerError
from workers.shared.board import Board
from workers.shared.board_types import Hint

if TYPE_CHECKING:
    # Who submits a job sweeps once, and has no runner.
    from workers.periodic.watchdog import Watchdog
    from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")

#: Seconds between two sweeps, and between two that freed threads ask for; the longest while Redis is away.
SWEEP, _SOONEST, _LONGEST = 1.0, 0.1, 5.0


async def sweep(board: Board, publish: Callable[[Sequence[Hint]], None], room: int = 0) -> list[Hint]:
    """Publish what has neither lease nor message; the shards that are to be taken here, at most *room*.

    Raises:
        BrokerError: Redis is out of reach.
    """
    found = await board.sweep(room)
    hints = [hint for hint in found if not hint.orphan]
    if hints:
        await asyncio.to_thread(publish, hints)
    return [hint for hint in found if hint.orphan]


async def sweep_for_ever(
    runner: ShardRunner, publish: Callable[[Sequence[Hint]], None], watchdog: Watchdog
) -> None:
    """Sweep until cancelled: by the clock, and soon after a thread has become free."""
    pause = SWEEP
    while True:
        runner.sweep_soon.clear()
        try:
            for orphan in await sweep(runner.tools.board, publish, runner.room_for_orphans):
                runner.take_orphan(orphan.job, orphan.shard)
            await watchdog.look()
            pause = SWEEP
        except BrokerError as error:
            pause = min(2 * pause, _LONGEST)
            log.info("sweep_failed, trying again in %.0f s: %s", pause, error)
        await asyncio.sleep(_SOONEST)
        await wait_for_event(runner.sweep_soon, pause)
