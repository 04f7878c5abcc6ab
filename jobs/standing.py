"""The status of any job: from Redis for submitted jobs, otherwise from its folder."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from jobs import environment
from jobs.words import duration
from pipeline.errors import BrokerError, JobError
from pipeline.job.folder import JobFolder
from pipeline.job.limits import limits_of
from pipeline.job.registry import JobEntry, find_job, last_status
from pipeline.job.runlock import LOCK, is_run_locked
from pipeline.job.spec import Spec
from pipeline.job.totals import exact_totals
from pipeline.status import ENDED, State, Status, Totals, counted
from pipeline.store import Store, open_store
from workers.shared.connection import connect
from workers.shared.status import read_board_view

#: What a job is that nobody works on, though it has not ended.
LEFT = "no process is working on it; the command that started it continues from here"

#: Seconds without a fresh report after which a ``run`` is said to wait: it writes one every two.
SILENT = 6.0

_MOVING = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The status of a job, and what else is known of it.

    Attributes:
        alive: whether a process is there that continues it: a ``run``, or workers.
        workers: the last heartbeat of each worker that is alive, for a submitted job.
        note: why the figures may be out of date, for people.
    """

    status: Status
    alive: bool
    workers: Mapping[str, int] = field(default_factory=dict)
    note: str | None = None


def registry() -> Store:
    """Where jobs are registered."""
    return open_store(environment.store())


async def the_job(job: str) -> JobEntry:
    """The job that a person means.

    Raises:
        JobError: there is none.
    """
    return await find_job(registry(), job)


async def spec_of(entry: JobEntry, folder: JobFolder) -> Spec:
    """The specification of a registered job.

    Raises:
        JobError: its folder is gone, or another job's by now.
    """
    spec = await folder.spec()
    if spec is None:
        raise JobError(f"job {entry.job}: its folder {entry.out} does not exist any more")
    _check_whose(entry, spec.job)
    return spec


def _check_whose(entry: JobEntry, job: str) -> None:
    if job != entry.job:
        raise JobError(f"job {entry.job}: its folder {entry.out} belongs to job {job} now")


class Standings:
    """Reads the status of jobs; connects to Redis with the first submitted one."""

    def __init__(self) -> None:
        self._redis: Redis | None = None

    async def of(self, entry: JobEntry) -> Standing:
        """The status of *entry*'s job; if Redis is out of reach, that of its last report."""
        if not entry.submitted:
            return await _of_run(entry)
        try:
            if self._redis is None:
                self._redis = connect(environment.redis_url())
            seen = await read_board_view(self._redis, entry.job)
        except BrokerError as error:
            note = f"{error}; the figures are from the last report.json"
            return Standing(status=await _stored(entry), alive=False, note=note)
        if seen is not None:
            return Standing(status=seen.status, alive=bool(seen.workers), workers=seen.workers)
        return await _forgotten(entry)

    async def of_unfinished(self, entry: JobEntry) -> Standing:
        """:meth:`of`, for a command that controls the job.

        Raises:
            JobError: it has ended.
        """
        standing = await self.of(entry)
        if standing.status.state in ENDED:
            raise JobError(
                f"{entry.job} has ended ({standing.status.state}); `retouch retry` retries the rows that are not done"
            )
        return standing

    async def close(self) -> None:
        """Let go of Redis."""
        if self._redis is not None:
            await self._redis.aclose()


@contextlib.asynccontextmanager
async def standings() -> AsyncIterator[Standings]:
    """:class:`Standings` for the length of a block."""
    opened = Standings()
    try:
        yield opened
    finally:
        await opened.close()


async def _of_run(entry: JobEntry) -> Standing:
    folder = JobFolder.at(entry.out)
    status = await _stored(entry)
    alive = await is_run_locked(folder.store)
    if not alive:
        return Standing(status=_left(await _recounted(folder, status)), alive=False)
    # On an object store the lease itself is the sign of life.
    silent = await asyncio.to_thread(_silence, folder.store.folder) if folder.store.folder else 0.0
    return Standing(status=_unwritten(status, silent) if silent > SILENT else status, alive=alive)


async def _recounted(folder: JobFolder, status: Status) -> Status:
    """*status* of a killed ``run``, with the figures of the records, which are newer than its last report."""
    if status.state is not State.RUNNING:
        return status
    planned = await folder.planned()
    await folder.rounds.refresh()
    shards = planned.shards if planned else await folder.plans.count()
    rows = planned.rows if planned else None
    at_rest = msgspec.structs.replace(
        status, rows=rows, in_flight=0, uploading=0, images_per_minute=None, finished_at=None
    )
    return counted(at_rest, await exact_totals(folder, shards))


def _silence(folder: Path) -> float:
    """Seconds since the ``run`` that holds the folder has written its report; 0 if it has not done so yet."""
    try:
        written = (folder / "report.json").stat().st_mtime
        began = (folder / LOCK).stat().st_mtime
    except OSError:
        return 0.0
    return time.time() - written if written >= began else 0.0


def _unwritten(status: Status, seconds: float) -> Status:
    """*status* of a ``run`` that does not update its report; while it writes results, this is normal."""
    if status.state is not State.RUNNING or status.outcomes["pending"] == 0:
        return status
    reason = (
        f"its report has not been written for {duration(seconds)}: its process hangs, or its disk is full or not "
        "writable; the figures are from then"
    )
    return msgspec.structs.replace(
        status, state=State.WAITING, state_reason=reason, images_per_minute=None, eta_seconds=None
    )


async def _forgotten(entry: JobEntry) -> Standing:
    """A submitted job that Redis does not know: it ended long ago, or Redis has lost it."""
    status = await _stored(entry)
    note = (
        None
        if status.state in ENDED
        else f"Redis does not know {entry.job}; a worker restores it within a minute, `retouch resume` at once"
    )
    return Standing(status=_left(status), alive=False, note=note)


def _left(status: Status) -> Status:
    """*status* of a job that no process works on."""
    if status.state not in _MOVING:
        return status
    return msgspec.structs.replace(
        status,
        state=State.QUEUED,
        state_reason=status.state_reason or LEFT,
        in_flight=0,
        uploading=0,
        images_per_minute=None,
        eta_seconds=None,
    )


async def _stored(entry: JobEntry) -> Status:
    """The status as it was last written; a job without a report is queued."""
    folder = JobFolder.at(entry.out)
    status = await last_status(folder)
    if status is not None:
        _check_whose(entry, status.job)
        return status
    spec = await spec_of(entry, folder)
    planned = await folder.planned()
    queued = Status(
        job=entry.job,
        out=entry.out,
        state=State.QUEUED,
        rows=planned.rows if planned else None,
        budget_usd=limits_of(spec, await folder.wanted()).budget,
        submitted_at=spec.created_at,
    )
    return counted(queued, Totals())
