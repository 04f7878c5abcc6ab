"""The list of jobs: ``RETOUCH_STORE/.retouch/jobs/<job>`` says where each job's folder is."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import msgspec

from pipeline.errors import JobError
from pipeline.job.folder import JobFolder
from pipeline.job.planning import covers, rows_beyond
from pipeline.job.spec import Spec, differences, identity
from pipeline.job.totals import exact_totals
from pipeline.status import ENDED, State, Status
from pipeline.store import Store, open_store

log = logging.getLogger("retouch.registry")

JOBS = ".retouch/jobs"


class JobEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One job: its id, the folder (path or URL), and whether it was handed to the workers."""

    job: str
    out: str
    submitted: bool = False


async def register(store: Store, entry: JobEntry) -> None:
    """Add or replace a job's entry."""
    await store.put(f"{JOBS}/{entry.job}", msgspec.json.encode(entry))


async def claim_id(store: Store, entry: JobEntry) -> bool:
    """Add the entry of a new job; false if another job has its id."""
    return await store.put_new(f"{JOBS}/{entry.job}", msgspec.json.encode(entry))


async def give_id_back(store: Store, job: str) -> None:
    """Remove the entry of a job that was not started after all."""
    await store.delete([f"{JOBS}/{job}"])


async def entries(store: Store) -> list[JobEntry]:
    """All jobs, the oldest first; a damaged entry is skipped with a warning."""
    found = []
    for name in await store.names(JOBS):
        try:
            entry = await find_exact(store, name)
        except JobError as error:
            log.warning("job_unread: %s", error)
        else:
            found += [entry] if entry else []
    return found


async def find_exact(store: Store, job: str) -> JobEntry | None:
    """The entry of the job with this id."""
    data = await store.get(f"{JOBS}/{job}")
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=JobEntry)
    except msgspec.DecodeError as error:
        raise JobError(
            f"{store.url}/{JOBS}/{job} is damaged ({error}): remove it; you can still use the job by its folder"
        ) from error


async def find_job(store: Store, job: str) -> JobEntry:
    """The job that *job* refers to: an id, or a folder (path or URL).

    Raises:
        JobError: there is no such job.
    """
    if "/" not in job and "\\" not in job and job not in (".", ".."):
        entry = await find_exact(store, job)
        if entry is not None:
            return entry
    folder = JobFolder(open_store(job))
    spec = await folder.spec()
    if spec is None:
        raise JobError(
            f"no job {job!r}: it is neither an id in {store.url} nor a job's folder; `retouch status` lists them"
        )
    known = await find_exact(store, spec.job)
    return known or JobEntry(job=spec.job, out=folder.store.url)


async def newest_ended(store: Store, asked: Spec) -> str | None:
    """The id of the newest job with the same manifest and options that has ended, whatever its result."""
    async for entry, _ in _like(store, asked):
        if await has_ended(JobFolder.at(entry.out)):
            return entry.job
    return None


async def newest_unfinished(store: Store, asked: Spec) -> JobEntry | None:
    """The newest job with the same manifest and options that has not ended.

    For a command that asks for more rows, a job that finished at its limit has not ended either, unless a later one
    has.
    """
    ended = False
    async for entry, there in _like(store, asked):
        folder = JobFolder.at(entry.out)
        if differences(there, asked):
            continue
        status = await last_status(folder)
        if status is None or status.state not in ENDED:
            # Unless it has more rows than asked for, and made no call yet (nobody confirmed it, say).
            if not await rows_beyond(folder, asked) or await _was_called_for(folder):
                return entry
        elif not ended and status.state is State.FINISHED and await _asks_for_more(asked, folder):
            return entry
        else:
            ended = True
    return None


async def _like(store: Store, asked: Spec) -> AsyncIterator[tuple[JobEntry, Spec]]:
    """The existing jobs with the same manifest and options, the newest first."""
    ending = f"-{identity(asked)}"
    for name in reversed(await store.names(JOBS)):
        entry = await find_exact(store, name) if name.endswith(ending) else None
        there = await JobFolder.at(entry.out).spec() if entry else None
        if entry and there and there.job == entry.job:
            yield entry, there


async def _asks_for_more(asked: Spec, folder: JobFolder) -> bool:
    planned = await folder.planned()
    return planned is not None and not covers(planned, asked)


async def _was_called_for(folder: JobFolder) -> bool:
    return (await exact_totals(folder, await folder.plans.count())).calls > 0


async def has_ended(folder: JobFolder) -> bool:
    """Whether the job in *folder* has ended, according to its report."""
    status = await last_status(folder)
    return status is not None and status.state in ENDED


async def last_status(folder: JobFolder) -> Status | None:
    """The status as last written; ``None`` if there is none, or a damaged one, which can be written again."""
    data = await folder.store.get("report.json")
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=Status)
    except msgspec.DecodeError as error:
        log.warning(
            "report_damaged: %s/report.json cannot be read (%s); `retouch report` writes it again",
            folder.store.url,
            error,
        )
        return None
