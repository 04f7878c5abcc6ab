"""A whole job in one process: the manifest is read while its first rows are called."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.brake import Brake
from pipeline.budget import LocalBudget
from pipeline.edit import State, Status, Totals, utc
from pipeline.engine import run_shards
from pipeline.errors import RetouchError
from pipeline.fetch import Fetcher
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder, Planned
from pipeline.job.inputs import inputs_of
from pipeline.job.planning import Planner
from pipeline.job.registry import last_status
from pipeline.job.results import exact_totals, write_results, write_status
from pipeline.job.spec import Spec
from pipeline.jobrun import Caller, JobRun, NoCalls
from pipeline.manifest import Manifest, open_manifest
from pipeline.models import catalogue
from pipeline.pace import LocalPace
from pipeline.progress import LocalProgress, status_of

#: Threads that decode answers. More would hold more pictures in memory, and two cores decode none sooner.
DECODERS = 2

#: Seconds between two writes of report.json and two looks at control.json (design.md).
FRESH = 2.0


class LocalJob:
    """One job that this process holds whole.

    Attributes:
        brake: stops it; calls in flight are let finish.
        budget: its money; ``budget.unasked`` bounds what is spent before the user has answered.
        planner: reads the manifest.
        fault: why the manifest could not be read to its end; what was read is settled all the same.
    """

    def __init__(
        self, folder: JobFolder, spec: Spec, manifest: Manifest | None, *, unasked: float | None = None
    ) -> None:
        self.folder = folder
        self.spec = spec
        self.brake = Brake()
        self.budget = LocalBudget(spec.budget, unasked=unasked)
        self.progress = LocalProgress()
        self.pace = LocalPace(spec.rpm)
        self.planner = Planner(folder, manifest, spec)
        self.fault: RetouchError | None = None
        self.started_at = utc(time.time())
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")

    async def plan(self) -> Planned | None:
        """Read the manifest to its end; ``None`` when it could not be, which stops the job in order."""
        try:
            return await self.planner.read()
        except RetouchError as error:
            self.fault = error
            self.brake.stop(State.HALTED, str(error))
            return None

    async def price_left(self, planned: Planned) -> float | None:
        """The estimated dollars of what is not settled yet; ``None`` where a price is unknown."""
        if planned.cost_usd is None or not planned.rows:
            return planned.cost_usd
        settled = (await exact_totals(self.folder, planned.shards)).settled
        return planned.cost_usd * (planned.rows - settled) / planned.rows

    async def call(self, client: Caller, fetcher: Fetcher, scratch: Path) -> None:
        """Take every row that is not settled through the slots; return when nothing more can be done."""
        before = await last_status(self.folder)
        if before is not None and before.started_at:
            self.started_at = before.started_at
        job = JobRun(
            folder=self.folder,
            spec=self.spec,
            client=client,
            inputs=inputs_of(self.spec, scratch, fetcher),
            catalogue=catalogue(),
            pace=self.pace,
            budget=self.budget,
            progress=self.progress,
            slots=asyncio.Semaphore(self.spec.max_in_flight),
            decoders=self._decoders,
            brake=self.brake,
            timeout=self.spec.timeout,
        )
        refreshing = asyncio.create_task(self._refresh())
        try:
            await run_shards(job, self.planner.numbers())
        finally:
            refreshing.cancel()
            self._decoders.shutdown(wait=False, cancel_futures=True)

    async def finish(self) -> Status:
        """Write results and report of what is settled; the last status."""
        self.progress.exactly(await exact_totals(self.folder, self.planner.shards))
        status = self._final()
        await write_results(self.folder, self.planner.shards, status, self.spec)
        return status

    async def status(self) -> Status:
        """How the job stands now."""
        held = await self.pace.held()
        waiting = self.progress.waiting_for or (
            f"the API asked for a pause; calls go on in {held:.0f} s" if held > FRESH else None
        )
        if self.brake.stopped:
            return self._status(self.brake.state, self.brake.reason)
        return self._status(State.WAITING if waiting else State.RUNNING, waiting)

    def _final(self) -> Status:
        left = self._rows_left(self.progress.totals)
        if self.brake.stopped and (left is None or left or self.brake.cancelled):
            return self._status(self.brake.state, self.brake.reason)
        if left:
            return self._status(State.WAITING, f"{left} rows could not be stored; run the same command again")
        return self._status(State.FINISHED, None)

    def _status(self, state: State, reason: str | None) -> Status:
        ended = state in (State.FINISHED, State.CANCELLED)
        planned = self.planner.planned
        return status_of(
            self.progress.totals,
            job=self.spec.job,
            out=self.folder.store.url,
            state=state,
            state_reason=reason,
            rows=planned.rows if planned else None,
            in_flight=self.progress.in_flight,
            images_per_minute=self.progress.images_per_minute(),
            submitted_at=self.spec.created_at,
            started_at=self.started_at,
            finished_at=utc(time.time()) if ended else None,
        )

    def _rows_left(self, totals: Totals) -> int | None:
        planned = self.planner.planned
        return None if planned is None else planned.rows - totals.settled

    async def _refresh(self) -> None:
        """Keep report.json fresh and look at what is wanted, until cancelled."""
        while True:
            try:
                if (await self.folder.wanted()).state is State.CANCELLED:
                    self.brake.stop(State.CANCELLED, "cancelled by `retouch cancel`")
                await write_status(self.folder, await self.status())
            except RetouchError as error:
                self.progress.waiting(str(error))
            await asyncio.sleep(FRESH)


async def cancel_rest(folder: JobFolder, spec: Spec, scratch: Path) -> Status:
    """Settle as cancelled what is left of a job that nobody works on; makes no call.

    Raises:
        RetouchError: its manifest was not read to its end and cannot be now.
    """
    planned = await folder.planned() is not None
    manifest = None if planned else await asyncio.to_thread(_manifest_of, folder, spec)
    job = LocalJob(folder, spec, manifest)
    job.brake.stop(State.CANCELLED, "cancelled by `retouch cancel`")
    await job.plan()
    if job.fault:
        raise job.fault
    async with Fetcher() as fetcher:
        await job.call(NoCalls(), fetcher, scratch)
    return await job.finish()


def _manifest_of(folder: JobFolder, spec: Spec) -> Manifest:
    spooled = folder.store.folder / SPOOLED_MANIFEST if folder.store.folder else None
    return open_manifest(
        spec.manifest,
        prompt=spec.prompt,
        limit=spec.limit,
        repeat=spec.repeat,
        spooled=spooled if spec.manifest == "-" else None,
    )
