"""A whole job in one process: calls begin while the manifest is still being read."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.engine.brake import CANCELLED, CANCELLING, PAUSED, Brake
from pipeline.engine.jobrun import Caller, JobRun
from pipeline.engine.keeper import Keeper
from pipeline.engine.progress import LocalProgress, Observed
from pipeline.engine.shards import run_shards
from pipeline.errors import RetouchError, StoreError
from pipeline.inputs import Inputs
from pipeline.job.folder import JobFolder
from pipeline.job.inputs import inputs_of
from pipeline.job.limits import limits_of
from pipeline.job.planning import Planner
from pipeline.job.registry import last_status
from pipeline.job.results import write_results, write_status
from pipeline.job.spec import Spec
from pipeline.job.totals import exact_totals
from pipeline.limits.pace import hold_said
from pipeline.locallimits import LocalLimits
from pipeline.manifest import Manifest
from pipeline.models import catalogue
from pipeline.ports import Observer, Wanted
from pipeline.price import Cost, cost_left
from pipeline.reuse import LocalClaims, Reuse
from pipeline.status import ENDED, State, Status, Totals, counted
from pipeline.store import Store
from pipeline.timestamp import utc
from pipeline.urls.fetch import Fetcher

#: Threads that decode answers. More would keep more pictures in memory, and on two cores would not be faster.
DECODERS = 2

#: Seconds between two writes of report.json, and between two reads of control.json.
FRESH = 2.0

INTERRUPTED = "interrupted: run the same command again to continue where it stopped"


class LocalJob:
    """One job that this process holds whole.

    Attributes:
        brake: stops it; calls in flight are let finish.
        limits: its pace, money, slots and timeout.
        budget: its money; ``budget.unasked`` bounds what is spent before the user has answered.
        planner: reads the manifest.
        observers: are told what happens to rows and calls.
        fault: why the manifest could not be read to its end; what was read is settled all the same.
    """

    def __init__(
        self,
        folder: JobFolder,
        spec: Spec,
        manifest: Manifest | None,
        registry: Store,
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.brake = Brake()
        self.progress = LocalProgress()
        self.limits = LocalLimits(folder, spec, self.progress)
        self.budget = self.limits.budget
        self.planner = Planner(folder, manifest, spec)
        self.reuse = Reuse(registry, LocalClaims())
        self.observers: tuple[Observer, ...] = ()
        self.fault: RetouchError | None = None
        self.started_at = utc(time.time())
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")
        self._run: JobRun | None = None
        self._interrupted = False
        self._unwritten: str | None = None
        self._resumed = asyncio.Event()

    async def plan(self, *, all_or_nothing: bool = False) -> bool:
        """Read the manifest to its end; false when it could not be: what was read of it is settled all the same.

        Args:
            all_or_nothing: nothing is to be settled of a manifest that is not whole.
        """
        try:
            await self.planner.read()
        except RetouchError as error:
            self.fault = error
            if all_or_nothing or not self.planner.shards:
                self.brake.stop(*_unread(error))
        return self.fault is None

    async def cost_left(self) -> Cost:
        """The estimate for what is planned and not settled yet."""
        settled = (await exact_totals(self.folder, self.planner.shards)).settled
        return cost_left(self.planner.cost, self.planner.rows, settled)

    async def call(self, client: Caller, fetcher: Fetcher, scratch: Path) -> None:
        """Take every row that is not settled through the slots; return when nothing more can be done.

        A pause lets the calls in flight finish and waits, at no cost, for ``retouch resume``.
        """
        before = await last_status(self.folder)
        if before is not None and before.started_at:
            self.started_at = before.started_at
        await self.folder.rounds.refresh()
        await self.limits.begin()
        refreshing = asyncio.create_task(self._refresh())
        try:
            await self._obey(await self.folder.wanted())
            while True:
                await self._pass(client, inputs_of(self.spec, scratch, fetcher))
                if not self._paused:
                    return
                await self._resumed.wait()
        finally:
            refreshing.cancel()
            self._decoders.shutdown(wait=False, cancel_futures=True)

    def interrupt(self) -> bool:
        """End in order: calls in flight finish. False when that was said already."""
        if self._interrupted:
            return False
        self._interrupted = True
        self.brake.stop(State.QUEUED, INTERRUPTED)
        self._resumed.set()
        return True

    def give_way(self, reason: str) -> None:
        """Another process has the job: calls in flight finish, nothing new is begun."""
        self._interrupted = True
        self.brake.stop(State.QUEUED, reason)
        self._resumed.set()

    @property
    def _paused(self) -> bool:
        return self.brake.reason == PAUSED and not self._interrupted

    async def _pass(self, client: Caller, inputs: Inputs) -> None:
        """Once through the shards, until all is settled or the job is stopped."""
        self.progress.exactly(Totals())
        self.limits.pace.begin_anew()
        job = JobRun(
            folder=self.folder,
            spec=self.spec,
            client=client,
            inputs=inputs,
            catalogue=catalogue(),
            pace=self.limits.pace,
            budget=self.budget,
            progress=Observed(self.progress, self.observers) if self.observers else self.progress,
            slots=self.limits.slots,
            decoders=self._decoders,
            brake=self.brake,
            timeout=self.limits.timeout,
            reuse=self.reuse,
        )
        self._run = job
        await run_shards(job, self.planner.numbers())

    async def _obey(self, wanted: Wanted) -> None:
        """Do what people want of the job now."""
        await self.limits.bind(limits_of(self.spec, wanted))
        if self._run:
            self._run.timeout = self.limits.timeout
        if wanted.state is State.CANCELLED:
            if not self.brake.cancelled:
                self.brake.stop(State.CANCELLED, CANCELLED)
            self._resumed.set()
        elif wanted.state is State.PAUSED and not self.brake.stopped:
            self._resumed.clear()
            self.brake.stop(State.PAUSED, PAUSED)
        elif wanted.state is State.RUNNING and self._paused:
            self.brake.release()
            self._resumed.set()

    async def finish(self) -> Status:
        """Write results and report of what is settled; the last status."""
        await self.folder.rounds.refresh()
        await self.planner.recall()
        self.progress.exactly(await exact_totals(self.folder, self.planner.shards))
        status = self._final()

        async def write() -> None:
            # Of a large job the rest takes a while, in which nobody keeps the report fresh.
            await write_status(self.folder, await self.status())
            await write_results(self.folder, self.planner.shards, status, self.spec)

        # Whoever has stopped the run is not kept waiting for a store that fails: the same command writes them.
        await (write() if self.brake.stopped else Keeper(self.brake, self.progress).put(write))
        return status

    async def status(self) -> Status:
        """How the job stands now."""
        if self.brake.cancelled:
            return self._status(State.RUNNING, CANCELLING)
        if self.brake.stopped:
            return self._status(self.brake.state, self.brake.reason)
        waiting = (
            self.progress.waiting_for or self.progress.unreachable or self._unwritten or await self._hold()
        )
        return self._status(State.WAITING if waiting else State.RUNNING, waiting)

    async def _hold(self) -> str | None:
        held = await self.limits.pace.held()
        return hold_said(held, time.time()) if held > FRESH else None

    def _final(self) -> Status:
        left = self._rows_left(self.progress.totals)
        if self.brake.stopped and (left is None or left or self.brake.cancelled):
            return self._status(self.brake.state, self.brake.reason)
        if self.fault:
            return self._status(*_unread(self.fault))
        if left:
            return self._status(State.WAITING, f"{left} rows could not be stored; run the same command again")
        return self._status(State.FINISHED, None)

    def _status(self, state: State, reason: str | None) -> Status:
        ended = state in ENDED
        planned = self.planner.planned
        status = Status(
            job=self.spec.job,
            out=self.folder.store.url,
            state=state,
            state_reason=reason,
            rows=planned.rows if planned else None,
            in_flight=0 if ended else self.progress.in_flight,
            uploading=0 if ended else self.progress.uploading,
            budget_usd=self.budget.limit,
            images_per_minute=self.progress.images_per_minute(),
            submitted_at=self.spec.created_at,
            started_at=self.started_at,
            finished_at=utc(time.time()) if ended else None,
        )
        return counted(status, self.progress.totals)

    def _rows_left(self, totals: Totals) -> int | None:
        planned = self.planner.planned
        return None if planned is None else planned.rows - totals.settled

    async def _refresh(self) -> None:
        """Keep report.json fresh and look at what is wanted, until cancelled."""
        while True:
            try:
                await self._obey(await self.folder.wanted())
                # A file that is there says by itself that it could be written.
                self._unwritten = None
                await write_status(self.folder, await self.status())
            except RetouchError as error:
                self._unwritten = str(error)
            await asyncio.sleep(FRESH)


def _unread(fault: RetouchError) -> tuple[State, str]:
    """How a job stands whose manifest could not be read to its end, and the mend."""
    if isinstance(fault, StoreError):
        return State.WAITING, f"{fault}; then run the same command again"
    mend = "fix it, leave the rows before it unchanged, and run the same command again"
    return State.HALTED, f"the manifest could not be read completely: {fault} To continue, {mend}"
