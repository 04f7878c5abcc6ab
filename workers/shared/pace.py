"""The pace that all workers of a job share."""

from __future__ import annotations

import asyncio
import time

from pipeline.concurrency import wait_for_event
from pipeline.engine.brake import Brake
from pipeline.limits.pace import AdjustableRate
from workers.shared.board import Board
from workers.shared.retry import retry_until_stopped

#: Seconds ahead for which a worker books turns, and one turn beyond: at most that is lost when it dies.
AHEAD = 3.0


class RedisPace(AdjustableRate):
    """:class:`pipeline.ports.Pace` over Redis: a cell rate for each job, a hold for each model, the server's clock.

    Calls here queue for their turns, and no turn is booked long before it comes: the rows of a worker may wait for
    hours, and a worker that takes them over must not wait for turns that nobody uses.

    Attributes:
        changed: set when the pace changes; the turns booked in Redis then begin anew.
        booked: the latest start that was booked for a call here, by the monotonic clock.
    """

    def __init__(self, board: Board, job: str, rpm: float | None, brake: Brake) -> None:
        super().__init__(rpm)
        self._board = board
        self._job = job
        self._brake = brake
        self._line = asyncio.Lock()

    @property
    def crowded(self) -> bool:
        return self.rpm is not None and (self._line.locked() or self._until_near() > 0)

    async def turn(self, model: str) -> float:
        if self.rpm is None:
            return await self._book(model)
        async with self._line:
            while (pause := self._until_near()) > 0:
                await wait_for_event(self.changed, pause)
            return await self._book(model)

    def _until_near(self) -> float:
        """Seconds until the latest turn that was booked here is near enough for another."""
        return self.booked - AHEAD - time.monotonic()

    async def _book(self, model: str) -> float:
        delay = await retry_until_stopped(
            lambda: self._board.turn(self._job, model, self.rpm), self._brake, 0.0
        )
        self.booked = max(self.booked, time.monotonic() + delay)
        return delay

    async def hold(self, model: str, seconds: float) -> None:
        await retry_until_stopped(lambda: self._board.hold(self._job, model, seconds), self._brake, None)

    async def held(self) -> float:
        return await retry_until_stopped(lambda: self._board.held(self._job), self._brake, 0.0)
