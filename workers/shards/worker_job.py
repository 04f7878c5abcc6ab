"""One job in this worker process: what its shards share, and the limits that people may change meanwhile."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable

from pipeline.engine.jobrun import JobRun
from pipeline.engine.progress import LocalProgress, Observed
from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from pipeline.job.inputs import inputs_of
from pipeline.job.limits import limits_of
from pipeline.job.spec import Spec
from pipeline.limits.pace import hold_said
from pipeline.models import catalogue
from pipeline.ports import Wanted
from workers.shards.control import JobControl
from workers.shared.board_types import JobNews
from workers.shared.budget import Purse, RedisBudget
from workers.shared.pace import RedisPace
from workers.shared.progress import ShardProgress
from workers.shared.slots import JobSlots
from workers.tools import Tools

#: Seconds of a hold that is too short to be shown as a reason.
_SHORT_HOLD = 2.0


class WorkerJob:
    """The job as this process works on it; built once and shared by its shards here.

    Attributes:
        wanted: what people want of it, as this process knows it.
        control: how it is stopped, here and everywhere.
        brake: stops it here.
        shards: how many of its shards are in progress here; without any the job is dropped.
        figures: calls and rows in this process.
        pace: when calls may start.
        budget: the money.
        slots: bounds the calls in flight.
        hold: seconds left of a pause that the API asked for.
        reported: when this process last saw to report.json, by the monotonic clock.
    """

    def __init__(self, tools: Tools, folder: JobFolder, spec: Spec, wanted: Wanted) -> None:
        self.folder = folder
        self.spec = spec
        self.wanted = wanted
        self.control = JobControl(tools.board, folder, spec.job, wanted)
        self.brake = self.control.brake
        self.shards = 0
        self.reported = 0.0
        self.figures = LocalProgress()
        self.hold = 0.0
        purse = tools.purses.setdefault(spec.job, Purse())
        self.pace = RedisPace(tools.board, spec.job, spec.rpm, self.brake)
        self.budget = RedisBudget(tools.board, spec.job, spec.budget, self.brake, purse)
        self._most = tools.settings.slots
        self.slots = JobSlots(min(spec.max_in_flight, self._most), tools.slots)
        self._observers = tools.observers
        self._run = JobRun(
            folder=folder,
            spec=spec,
            client=tools.client,
            inputs=inputs_of(spec, tools.scratch, tools.fetcher),
            catalogue=catalogue(),
            pace=self.pace,
            budget=self.budget,
            progress=self.figures,
            slots=self.slots,
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
            # Not a JobError: it may be mounted later, and other workers may see it.
            raise StoreError(
                f"{out}: a worker finds no job there; is the folder on storage that it can see, and mounted?"
            )
        return cls(tools, folder, spec, await folder.wanted())

    def run(self, progress: ShardProgress, *, orphaned: bool, begin: Callable[[], Awaitable[None]]) -> JobRun:
        """What the rows of one shard share: as for the whole job, but with figures and slots of the shard's own.

        Args:
            progress: counts the shard's rows and calls.
            orphaned: a dead worker has left the shard, so its rows go before those of others.
            begin: awaited before the first call.
        """
        observed = Observed(progress, self._observers) if self._observers else progress
        run = dataclasses.replace(
            self._run, progress=observed, slots=self.slots.shard(begin, orphaned=orphaned)
        )
        # Shared: while a put of one shard fails, the store fails for all, and the calls of the others wait too.
        run.keeper = self._run.keeper
        run.timeout = self._run.timeout
        self._runs.append(run)
        return run

    def hear(self, news: JobNews) -> None:
        """Apply what is wanted now, and stop if the job was cancelled, or stopped by another worker."""
        self.hold = news.hold
        if news.state is not None:
            self._apply(news.wanted)
            self.control.hear(news)

    def card_line(self) -> tuple[int, float, str | None]:
        """Calls in flight, pictures a minute, and what the job waits for."""
        waits = self.figures.waiting_for
        if waits is None and self.hold > _SHORT_HOLD:
            waits = hold_said(self.hold, time.time())
        return self.figures.in_flight, self.figures.images_per_minute(), waits

    @property
    def timeout(self) -> float:
        """Seconds that a call may take."""
        return self._run.timeout

    def leave(self, run: JobRun) -> None:
        """The shard of *run* is over."""
        self._runs.remove(run)

    def _apply(self, wanted: Wanted) -> None:
        self.wanted = wanted
        limits = limits_of(self.spec, wanted)
        self.pace.rpm = limits.rpm
        self.budget.limit = limits.budget
        self.slots.limit = min(limits.max_in_flight, self._most)
        for run in self._runs:
            run.timeout = limits.timeout
