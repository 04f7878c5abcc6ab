"""From the options to a job's folder: an unfinished job is resumed, or a new one begun."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from jobs.conflicts import check_hands, check_limit
from jobs.job_options import JobOptions
from jobs.manifests import keep_spooled
from pipeline.errors import JobError, UsageError
from pipeline.job.folder import JobFolder
from pipeline.job.planning import begins_alike
from pipeline.job.registry import (
    JobEntry,
    claim_id,
    find_exact,
    give_id_back,
    has_ended,
    newest_ended,
    newest_unfinished,
    register,
)
from pipeline.job.spec import ADJUSTABLE, Spec, differences, new_id
from pipeline.manifest import Manifest
from pipeline.models import catalogue, fault_of_id
from pipeline.price import estimate, no_budget
from pipeline.store import Store, open_store, prove
from pipeline.timestamp import utc

log = logging.getLogger("retouch.opening")

#: Seconds before another id is tried: an id contains the second.
_NEXT_ID = 0.2


async def open_job(
    asked: JobOptions,
    manifest: Manifest,
    scratch: Path,
    *,
    submitted: bool = False,
    tell: Callable[[str], None] = log.info,
) -> tuple[JobFolder, Spec]:
    """The folder and the specification of the job that *asked* means.

    With ``--out`` it is that folder; otherwise the newest unfinished job of the same manifest and options, or a new
    one. Adjustable options are as *asked* now, whatever the folder says. *tell* receives a warning if a new job will
    pay again for what an earlier one has done.

    Raises:
        JobError: the folder holds another job, or something else.
    """
    check_options(asked)
    registry = open_store(asked.store)
    for location in {asked.store, asked.out or asked.store}:
        await prove(open_store(location))
    wanted = spec_for(asked, manifest)
    if asked.out:
        folder, spec = await _at(asked.out, wanted, registry)
    else:
        folder, spec = await _newest_or_new(registry, wanted, manifest, tell)
    await folder.check_writable()
    await check_limit(folder, wanted)
    entry = JobEntry(job=spec.job, out=folder.store.url, submitted=submitted)
    known = await find_exact(registry, spec.job)
    if known != entry:
        await check_hands(known, folder, submitted=submitted)
        await register(registry, entry)
    if manifest.source == "-":
        await keep_spooled(scratch, folder)
    adjusted = {name: getattr(wanted, name) for name in ADJUSTABLE}
    return folder, msgspec.structs.replace(spec, **adjusted)


async def taken_up(asked: JobOptions, manifest: Manifest) -> JobFolder | None:
    """The folder of the job that :func:`open_job` would resume; ``None``: it would begin one. Changes nothing.

    Raises:
        JobError: the folder holds something else.
    """
    wanted = spec_for(asked, manifest)
    if asked.out is None:
        entry = await _unfinished(open_store(asked.store), wanted, manifest)
        return JobFolder.at(entry.out) if entry else None
    folder = JobFolder.at(asked.out)
    there = await folder.spec()
    return folder if there is not None and not differences(there, wanted) else None


def check_options(asked: JobOptions) -> None:
    """Refuse options with which every row would fail.

    Raises:
        UsageError: the model does not accept them, or has been shut down.
    """
    model = catalogue().find(asked.model)
    fault = fault_of_id(asked.model) or (model and model.fault(asked.aspect_ratio, asked.image_size, 0))
    if not fault and asked.budget is not None and estimate(asked.model, asked.image_size, 1, 0) is None:
        fault = no_budget(asked.model)
    if fault:
        raise UsageError(fault)


async def _at(out: str, wanted: Spec, registry: Store) -> tuple[JobFolder, Spec]:
    folder = JobFolder.at(out)
    there = await folder.spec()
    if there is None:
        begun = await _begun(folder, wanted, registry)
        if begun is not None:
            return folder, begun
        there = await folder.spec()
    if there is None:
        raise JobError(f"{out}: its job.json appeared and disappeared; is something else writing there?")
    unlike = differences(there, wanted)
    if unlike:
        raise JobError(
            f"{out} holds job {there.job}, which was started with another {', '.join(unlike)}: "
            "give the same options, or another --out for a new job"
        )
    return folder, there


async def _newest_or_new(
    registry: Store, wanted: Spec, manifest: Manifest, tell: Callable[[str], None]
) -> tuple[JobFolder, Spec]:
    entry = await _unfinished(registry, wanted, manifest)
    if entry is not None:
        return await _at(entry.out, wanted, registry)
    earlier = await newest_ended(registry, wanted)
    if earlier is not None and not wanted.reuse:
        tell(
            f"This is a new job and will be paid for again: {earlier}, of the same manifest and options, has ended. "
            "`retouch retry` retries its rows that are not done, and --reuse reuses what it has paid for."
        )
    while True:
        folder = JobFolder.at(f"{registry.url}/{new_id(wanted, time.time())}")
        begun = await _begun(folder, wanted, registry)
        if begun is not None:
            return folder, begun
        await asyncio.sleep(_NEXT_ID)


async def _unfinished(registry: Store, wanted: Spec, manifest: Manifest) -> JobEntry | None:
    entry = await newest_unfinished(registry, wanted)
    return entry if entry is not None and await _same_input(entry, manifest) else None


async def _begun(folder: JobFolder, wanted: Spec, registry: Store) -> Spec | None:
    """Begin a job in *folder* under an id that no other job has; ``None`` when another began one there first."""
    while True:
        job = new_id(wanted, time.time())
        if await claim_id(registry, JobEntry(job=job, out=folder.store.url)):
            break
        # The id holds the second.
        await asyncio.sleep(_NEXT_ID)
    spec = msgspec.structs.replace(wanted, job=job, out=folder.store.url)
    begun = False
    try:
        begun = await folder.create(spec)
    finally:
        if not begun:
            await give_id_back(registry, job)
    return spec if begun else None


async def _same_input(entry: JobEntry, manifest: Manifest) -> bool:
    """Whether the job has this manifest: a file is known by its path, standard input by its bytes.

    That a file has changed is found later. But if the job has ended, say a trial of a few rows, a changed manifest
    begins a new job.
    """
    folder = JobFolder.at(entry.out)
    if manifest.source != "-":
        return not await has_ended(folder) or await begins_alike(folder, manifest)
    begun = await folder.source()
    return begun is not None and begun == await asyncio.to_thread(manifest.fingerprint)


def spec_for(asked: JobOptions, manifest: Manifest) -> Spec:
    """What *asked* means, for a job that has neither a name nor a folder yet."""
    return Spec(
        **asked.edit_options() | {"manifest": manifest.source},
        job="",
        out="",
        root=str(manifest.root),
        created_at=utc(time.time()),
        # Every worker can read from a bucket.
        uploaded=asked.upload and isinstance(manifest.root, Path),
    )
