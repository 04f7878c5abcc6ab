"""The pulse of a worker: checks its event loop, its jobs and its Redis twice a second."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from pipeline.attempt import Attempt
from pipeline.errors import BrokerError
from pipeline.record import Record
from workers.monitoring.backlog import Backlog, backlog
from workers.monitoring.binding import BindingLimit, Pressure, binding
from workers.monitoring.health import Vitals
from workers.shards.runner import ShardRunner
from workers.shards.worker_job import WorkerJob
from workers.shared.keys import FINISH

#: Seconds between two checks of this process, and between two readings of the open work of all workers.
_LOOK, _ASK = 0.5, 2.0
#: Seconds without an answered heartbeat after which Redis counts as away.
AWAY = 5.0
#: Timeout, in seconds, for a shard whose job is still being opened: the default of ``--timeout``.
_UNKNOWN_TIMEOUT = 300.0


class Pulse:
    """What is known of this process; written on its event loop, read in any thread.

    Attributes:
        runner: what is checked, once it exists.
        stalled: messages wait in the queue and threads are free, but none is received.
        backlog: the open work of all workers; ``None`` while it is not known.
        bound: for each limit the seconds for which it has bound jobs here, summed over the jobs.
        lagged: called with the seconds by which the event loop was late.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.runner: ShardRunner | None = None
        self.stalled = False
        self.lagged: Callable[[float], None] = lambda _: None
        self.backlog: Backlog | None = None
        self.bound = dict.fromkeys(BindingLimit, 0.0)
        self._born = self._round = self._moved = self._clock()

    def call_begun(self) -> None:
        self._moved = self._clock()

    def call_ended(self, _attempt: Attempt) -> None:
        self._moved = self._clock()

    def row_settled(self, _record: Record) -> None:
        self._moved = self._clock()

    async def run(self, runner: ShardRunner) -> None:
        """Check *runner* until cancelled."""
        self.runner = runner
        asked = -math.inf
        while True:
            before = self._clock()
            if before - asked >= _ASK:
                asked = before
                await self._ask(runner)
                before = self._clock()
            await asyncio.sleep(_LOOK)
            now = self._clock()
            self.lagged(max(0.0, now - before - _LOOK))
            self._look(runner, now, now - self._round)

    def vitals(self) -> Vitals:
        """What :mod:`workers.monitoring.health` judges."""
        now, runner = self._clock(), self.runner
        moved = (
            (self._moved, runner.last_message, runner.tools.client.last_piece) if runner else (self._moved,)
        )
        jobs = list(runner.jobs.open.values()) if runner else []
        return Vitals(
            silent=now - self._round,
            idle=now - max(moved),
            shards=_open_shards(runner) if runner else 0,
            timeout=max((worker_job.timeout for worker_job in jobs), default=_UNKNOWN_TIMEOUT),
            stalled=self.stalled,
        )

    def limits(self) -> list[BindingLimit]:
        """The limit that binds each job here."""
        runner = self.runner
        if runner is None:
            return []
        now = self._clock()
        return [
            binding(_pressure(runner, worker_job, now))
            for worker_job in list(runner.jobs.open.values())
            if not worker_job.brake.stopped
        ]

    def _look(self, runner: ShardRunner, now: float, seconds: float) -> None:
        self._round = now
        limits = self.limits()
        for limit in limits:
            self.bound[limit] += seconds
        if not _open_shards(runner) or (limits and all(limit in _REASONS_TO_WAIT for limit in limits)):
            self._moved = now

    async def _ask(self, runner: ShardRunner) -> None:
        board = runner.tools.board
        try:
            self.backlog = await backlog(board.redis)
            self.stalled = self._could_take(runner) and bool(await board.overdue(self._patience(runner)))
        except BrokerError:
            self.backlog, self.stalled = None, False

    def _could_take(self, runner: ShardRunner) -> bool:
        free = not runner.stopping and runner.busy_threads < runner.tools.settings.threads
        return free and self._clock() - max(runner.last_message, self._born) > self._patience(runner)

    @staticmethod
    def _patience(runner: ShardRunner) -> float:
        # After half of it the consumer is restarted (workers.periodic.watchdog), which may help.
        return 2 * runner.tools.settings.stalled


#: A job bound by one of these makes no progress, although nothing is wrong with the worker.
_REASONS_TO_WAIT = (BindingLimit.REDIS, BindingLimit.STORE, BindingLimit.API, BindingLimit.RPM)


def _open_shards(runner: ShardRunner) -> int:
    """How many shards here have rows to settle; a job's last step does not count, since writing may take long."""
    return sum(held.shard != FINISH for held in list(runner.held))


def _pressure(runner: ShardRunner, worker_job: WorkerJob, now: float) -> Pressure:
    return Pressure(
        redis_away=now - runner.last_heartbeat > AWAY,
        waiting=worker_job.figures.waiting_for is not None,
        hold=worker_job.hold,
        short=worker_job.budget.short,
        booked=worker_job.pace.booked - now,
        full=worker_job.slots.locked(),
    )
