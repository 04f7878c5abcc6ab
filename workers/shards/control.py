"""What is wanted of a job, and what has stopped it: obeyed in this process, and made known to all workers."""

from __future__ import annotations

import contextlib

from pipeline.engine.brake import CANCELLED, PAUSED, Brake
from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from pipeline.ports import Wanted
from pipeline.status import State
from workers.placing import REASONS
from workers.reporting import report
from workers.shared.board import Board
from workers.shared.board_types import JobNews


class JobControl:
    """The control of one job in this process.

    Attributes:
        brake: stops the job here.
    """

    def __init__(self, board: Board, folder: JobFolder, job: str, wanted: Wanted) -> None:
        self.brake = Brake()
        self._board = board
        self._folder = folder
        self._job = job
        self._wanted_in_redis: Wanted | None = None
        self._stop_announced = False
        if wanted.state is State.CANCELLED:
            self.brake.stop(State.CANCELLED, CANCELLED)
        elif wanted.state is State.PAUSED:
            self._obey_stop(State.PAUSED, PAUSED)

    def hear(self, news: JobNews) -> None:
        """Stop the job here if people have cancelled it, or another worker has stopped it."""
        self._wanted_in_redis = news.wanted
        if news.wanted.state is State.CANCELLED:
            self.brake.stop(State.CANCELLED, CANCELLED)
        elif news.state in (State.HALTED, State.PAUSED) and not self.brake.stopped:
            self._obey_stop(news.state, news.reason)

    async def repeat_wanted(self) -> None:
        """Tell all workers what ``control.json`` says, if Redis says otherwise: the file holds.

        Raises:
            BrokerError: Redis is out of reach.
            StoreError: the file cannot be read.
        """
        wanted = await self._folder.wanted()
        if wanted != self._wanted_in_redis:
            await self._board.want(self._job, wanted, REASONS.get(wanted.state, ""), repeated=True)

    async def announce_stop(self) -> None:
        """Tell all workers, once, when a row here has stopped the job.

        Raises:
            BrokerError: Redis is out of reach; to be repeated.
        """
        if self._stop_announced or self.brake.state not in (State.HALTED, State.PAUSED):
            return
        await self._board.stop(self._job, self.brake.state, self.brake.reason)
        self._stop_announced = True
        with contextlib.suppress(StoreError):
            # Whoever restores the job after Redis was lost must find that it needs a person; else the next heartbeats
            # write it.
            await report(self._board, self._folder, self._job)

    def _obey_stop(self, state: State, reason: str | None) -> None:
        self.brake.stop(state, reason)
        self._stop_announced = True
