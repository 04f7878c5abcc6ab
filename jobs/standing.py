"""How a job stands: from Redis for submitted jobs, else from its folder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
from redis.asyncio import Redis

from jobs import environment
from jobs.words import ENDED
from pipeline.edit import State, Status, Totals
from pipeline.errors import BrokerError, JobError
from pipeline.job.folder import JobFolder
from pipeline.job.hold import is_held
from pipeline.job.registry import Entry, find, last_status
from pipeline.job.spec import Spec
from pipeline.progress import status_of
from pipeline.store import Store, open_store
from workers.connection import connect
from workers.status import look

#: What a job is that nobody works on, though it has not ended.
LEFT = "no process works on it: the command that began it goes on from here"

_MOVING = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A job as it stands.

    Attributes:
        alive: whether somebody is there who takes it further: a ``run``, or workers; ``None``: nobody can tell,
            since an object store has no locks.
        note: what makes the figures less than certain, for people.
    """

    status: Status
    alive: bool | None
    note: str | None = None


def registry() -> Store:
    """Where jobs are registered."""
    return open_store(environment.store())


async def the_job(job: str) -> Entry:
    """The job that a person means.

    Raises:
        JobError: there is none.
    """
    return await find(registry(), job)


async def spec_of(entry: Entry, folder: JobFolder) -> Spec:
    """The specification of a registered job.

    Raises:
        JobError: its folder is gone.
    """
    spec = await folder.spec()
    if spec is None:
        raise JobError(f"job {entry.job}: its folder {entry.out} is gone; nothing can be said of it")
    return spec


class Standings:
    """Tells how jobs stand; connects to Redis when the first submitted one is asked for."""

    def __init__(self) -> None:
        self._redis: Redis | None = None

    async def of(self, entry: Entry) -> Standing:
        """How *entry*'s job stands; when Redis is out of reach, how it stood when its report was written."""
        if not entry.submitted:
            return await _of_run(entry)
        try:
            if self._redis is None:
                self._redis = connect(environment.redis_url())
            seen = await look(self._redis, entry.job)
        except BrokerError as error:
            note = f"{error}; the figures are those of the last report.json"
            return Standing(status=await _stored(entry), alive=False, note=note)
        if seen is not None:
            return Standing(status=seen.status, alive=seen.workers > 0)
        return await _forgotten(entry)

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


async def _of_run(entry: Entry) -> Standing:
    folder = JobFolder.at(entry.out)
    status = await _stored(entry)
    alive = await asyncio.to_thread(is_held, folder.store) if folder.store.folder else None
    return Standing(status=_left(status) if alive is False else status, alive=alive)


async def _forgotten(entry: Entry) -> Standing:
    """A submitted job that Redis does not know: ended long ago, or Redis was lost."""
    status = await _stored(entry)
    note = (
        None
        if status.state in ENDED
        else f"Redis does not know {entry.job}: a worker puts it back within a minute, `retouch resume` at once"
    )
    return Standing(status=_left(status), alive=False, note=note)


def _left(status: Status) -> Status:
    """*status* of a job that nobody works on: what moved has come to rest."""
    if status.state not in _MOVING:
        return status
    return msgspec.structs.replace(
        status,
        state=State.QUEUED,
        state_reason=status.state_reason or LEFT,
        in_flight=0,
        images_per_minute=None,
        eta_seconds=None,
    )


async def _stored(entry: Entry) -> Status:
    """The status as it was last written; of a job that has no report yet, that it is queued."""
    folder = JobFolder.at(entry.out)
    status = await last_status(folder)
    if status is not None:
        return status
    spec = await spec_of(entry, folder)
    planned = await folder.planned()
    return status_of(
        Totals(),
        job=entry.job,
        out=entry.out,
        state=State.QUEUED,
        rows=planned.rows if planned else None,
        submitted_at=spec.created_at,
    )
