"""One job in this worker process: what its shards share, and how it hears what is wanted of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from pipeline.engine.brake import CANCELLED, PAUSED, Brake
from pipeline.engine.jobrun import JobRun
from pipeline.engine.progress import LocalProgress, Observed
from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from pipeline.job.inputs import inputs_of
from pipeline.job.limits import limits_of
from pipeline.job.spec import Spec
from pipeline.models import catalogue
from pipeline.ports import Wanted
from pipeline.status import State
from workers.placing import REASONS
from workers.shared.board_types import JobNews
from workers.shared.budget import Purse, RedisBudget
from workers.shared.pace import RedisPace
from workers.shared.progress import ShardProgress
from workers.shared.slots import JobSlots
from workers.tools import Tools

#: A hold that is shorter is not worth a word.
_WORTH_A_WORD = 2.0


class WorkerJob:
    """The job as this process works on it; built once and shared by its shards here.

    Attributes:
        wanted: what is done here.
        wanted_in_redis: what Redis says is wanted; ``None``: it has not been heard yet.
        brake: stops it in this process.
        shards: how many of them are at work here; without any the job is let go.
        announced: all workers know that the job was stopped.
        reported: when report.json was last thought of, by the monotonic clock.
    """

    def __init__(self, tools: Tools, folder: JobFolder, spec: Spec, wanted: Wanted) -> None:
        self._board = tools.board
        self._observers = tools.observers
        self.folder = folder
        self.spec = spec
        self.wanted = wanted
        self.wanted_in_redis: Wanted | None = None
        self.brake = Brake()
        self.shards = 0
        self.announced = False
        self.reported = 0.0
        self.figures = LocalProgress()
        self._hold = 0.0
        purse = tools.purses.setdefault(spec.job, Purse())
        self._pace = RedisPace(tools.board, spec.job, spec.rpm, self.brake)
        self._budget = RedisBudget(tools.board, spec.job, spec.budget, self.brake, purse)
        self._most = tools.settings.slots
        self._slots = JobSlots(min(spec.max_in_flight, self._most), tools.slots)
        self._run = JobRun(
            folder=folder,
            spec=spec,
            client=tools.client,
            inputs=inputs_of(spec, tools.scratch, tools.fetcher),
            catalogue=catalogue(),
            pace=self._pace,
            budget=self._budget,
            progress=self.figures,
            slots=self._slots,
            decoders=tools.decoders,
            brake=self.brake,
            timeout=spec.timeout,
            reuse=tools.reuse,
        )
        self._runs = [self._run]
        self._apply(wanted)

    @classmethod
    async def open(cls, tools: Tools, out: str) -> WorkerJob:
        """The job in the folder *out*.

        Raises:
            StoreError: the folder cannot be read, or is not there.
        """
        folder = JobFolder.at(out)
        spec = await folder.spec()
        if spec is None:
            # It may be mounted later, and others may see it.
            raise StoreError(
                f"{out}: a worker finds no job there; is the folder on storage that it can see, and mounted?"
            )
        worker_job = cls(tools, folder, spec, await folder.wanted())
        if worker_job.wanted.state is State.CANCELLED:
            worker_job.brake.stop(State.CANCELLED, CANCELLED)
        elif worker_job.wanted.state is State.PAUSED:
            worker_job.brake.stop(State.PAUSED, PAUSED)
            worker_job.announced = True
        return worker_job

    def run(self, progress: ShardProgress, *, orphaned: bool, begin: Callable[[], Awaitable[None]]) -> JobRun:
        """What the rows of one shard share: everything, but that the shard's figures are counted apart.

        Args:
            progress: counts them.
            orphaned: a dead worker has left the shard: its rows go before those of others.
            begin: awaited before the first row of it is called for.
        """
        told = Observed(progress, self._observers) if self._observers else progress
        run = dataclasses.replace(self._run, progress=told, slots=self._slots.shard(begin, orphaned=orphaned))
        # One store, one trouble: while a put of one shard fails, the calls of the others are held back too.
        run.keeper = self._run.keeper
        run.timeout = self._run.timeout
        self._runs.append(run)
        return run

    def hear(self, news: JobNews) -> None:
        """Do what is wanted, and stop when another worker has stopped the job."""
        self._hold = news.hold
        if news.state is None:
            return
        self.wanted_in_redis = news.wanted
        self._apply(news.wanted)
        if news.wanted.state is State.CANCELLED:
            self.brake.stop(State.CANCELLED, CANCELLED)
        elif news.state in (State.HALTED, State.PAUSED) and not self.brake.stopped:
            self.brake.stop(news.state, news.reason)
            self.announced = True

    async def repeat_wanted(self) -> None:
        """Tell all workers what ``control.json`` says, if they have missed it: its word holds.

        Raises:
            BrokerError: Redis is out of reach.
            StoreError: the file cannot be read.
        """
        wanted = await self.folder.wanted()
        if wanted != self.wanted_in_redis:
            await self._board.want(self.spec.job, wanted, REASONS.get(wanted.state, ""), repeated=True)

    def unannounced_stop(self) -> tuple[State, str | None] | None:
        """The state that a row here has brought the job to, as long as others do not know it."""
        if self.brake.state in (State.HALTED, State.PAUSED) and not self.announced:
            return self.brake.state, self.brake.reason
        return None

    def card_line(self) -> tuple[int, float, str | None]:
        """Calls in flight, pictures a minute, and what the job waits for."""
        waits = self.figures.waiting_for
        if waits is None and self._hold > _WORTH_A_WORD:
            waits = f"the API asked for a pause; calls go on in {self._hold:.0f} s"
        return self.figures.in_flight, self.figures.images_per_minute(), waits

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        return self._run.timeout

    @property
    def rpm(self) -> float | None:
        """Calls a minute that the job allows itself over all workers; ``None``: no limit."""
        return self._pace.rpm

    @property
    def booked(self) -> float:
        """The latest start that the pace has given to a call here, by the monotonic clock."""
        return self._pace.booked

    @property
    def hold(self) -> float:
        """Seconds for which the API wants to be left alone."""
        return self._hold

    @property
    def short_of_money(self) -> bool:
        """Whether a call waits for money that others have set aside."""
        return self._budget.short

    @property
    def slots_full(self) -> bool:
        """Whether no slot is free."""
        return self._slots.locked()

    def leave(self, run: JobRun) -> None:
        """The shard of *run* is over."""
        self._runs.remove(run)

    def _apply(self, wanted: Wanted) -> None:
        self.wanted = wanted
        limits = limits_of(self.spec, wanted)
        self._pace.rpm = limits.rpm
        self._budget.limit = limits.budget
        self._slots.limit = min(limits.max_in_flight, self._most)
        for run in self._runs:
            run.timeout = limits.timeout
