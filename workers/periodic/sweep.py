"""The sweep: shards with neither lease nor message get a message; those of dead workers are taken at once."""

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
    # `retouch submit` sweeps once, without a runner.
    from workers.periodic.watchdog import Watchdog
    from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")

#: Seconds between two sweeps, between two that freed threads ask for, and at most while Redis is away.
SWEEP, _SOONEST, _LONGEST = 1.0, 0.1, 5.0


async def sweep(board: Board, publish: Callable[[Sequence[Hint]], None], room: int = 0) -> list[Hint]:
    """Publish shards with neither lease nor message; return the orphaned shards to take here, at most *room*.

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
    """Sweep until cancelled: at intervals, and soon after a thread has become free."""
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
