"""From what was asked for to a job's folder: taken up where it was left, or begun."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from jobs.job_options import JobOptions
from pipeline.errors import JobError, UsageError
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder
from pipeline.job.planning import begins_alike, rows_beyond
from pipeline.job.registry import (
    Entry,
    claim_id,
    find_exact,
    give_id_back,
    last_status,
    newest_ended,
    newest_unfinished,
    register,
)
from pipeline.job.spec import ADJUSTABLE, Spec, differences, new_id
from pipeline.manifest import Manifest, fetched, is_file_of_bucket, open_manifest, spool
from pipeline.models import catalogue, fault_of_id
from pipeline.price import estimate, no_budget
from pipeline.report.words import plural
from pipeline.status import ENDED
from pipeline.store import Store, open_store, prove
from pipeline.timestamp import utc

log = logging.getLogger("retouch.opening")

SPOOL = "manifest.jsonl"

#: Seconds until an id of the next second may be had.
_NEXT_ID = 0.2


def opened_manifest(asked: JobOptions, scratch: Path) -> Manifest:
    """The manifest that *asked* names; standard input, and a file in a bucket, are put into *scratch* first.

    Raises:
        ManifestError: it cannot be read at all.
    """
    return open_manifest(
        asked.manifest,
        prompt=asked.prompt,
        limit=asked.limit,
        repeat=asked.repeat,
        spooled=_spooled(asked.manifest, scratch),
    )


def _spooled(manifest: str, scratch: Path) -> Path | None:
    """Where what is not on this machine's disk was put."""
    if manifest == "-":
        return spool(sys.stdin.buffer, scratch / SPOOL)
    return fetched(manifest, scratch) if is_file_of_bucket(manifest) else None


async def open_job(
    asked: JobOptions,
    manifest: Manifest,
    scratch: Path,
    *,
    submitted: bool = False,
    tell: Callable[[str], None] = log.info,
) -> tuple[JobFolder, Spec]:
    """The folder and the specification of the job that *asked* means.

    With ``--out`` it is that folder; else the newest unfinished job of the same manifest and options, else a new
    one. What may be adjusted is as *asked* now, whatever the folder says. *tell* is told that a new job pays anew
    for what an earlier one has done.

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
    await _check_limit(folder, wanted)
    entry = Entry(job=spec.job, out=folder.store.url, submitted=submitted)
    known = await find_exact(registry, spec.job)
    if known != entry:
        await _check_hands(known, folder, submitted=submitted)
        await register(registry, entry)
    if manifest.source == "-":
        await _keep_spooled(scratch, folder)
    adjusted = {name: getattr(wanted, name) for name in ADJUSTABLE}
    return folder, msgspec.structs.replace(spec, **adjusted)


async def taken_up(asked: JobOptions, manifest: Manifest) -> JobFolder | None:
    """The folder of the job that :func:`open_job` would take up; ``None``: it would begin one. Nothing is changed.

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
    """Refuse options that every row would fail by.

    Raises:
        UsageError: the model does not take them, or is no more.
    """
    model = catalogue().find(asked.model)
    fault = fault_of_id(asked.model) or (model and model.fault(asked.aspect_ratio, asked.image_size, 0))
    if not fault and asked.budget is not None and estimate(asked.model, asked.image_size, 1, 0) is None:
        fault = no_budget(asked.model)
    if fault:
        raise UsageError(fault)


async def _check_limit(folder: JobFolder, wanted: Spec) -> None:
    """What is planned cannot be taken back: who asks for less of it is not to pay for all of it."""
    beyond = await rows_beyond(folder, wanted)
    if not beyond or await _ended(folder):
        return
    planned = await folder.planned()
    if planned is None:
        own = f"--limit {-(-beyond // wanted.repeat) + (wanted.limit or 0)} or more"
    else:
        own = "--limit left out" if planned.limit is None else f"--limit {planned.limit}"
    raise JobError(
        f"{folder.store.url} is a job under way, of {plural(beyond, 'row')} more than --limit {wanted.limit} asks "
        f"for: go on with {own} (--budget bounds its cost), or give another --out for the first rows alone"
    )


async def _check_hands(known: Entry | None, folder: JobFolder, *, submitted: bool) -> None:
    """A job is in the hands of the workers or of one run, never of both; and of the workers in one folder."""
    await _check_copy(known, folder)
    if known is not None and known.submitted and not submitted and not await _ended(folder):
        raise JobError(
            f"job {known.job} was handed to the workers: watch it with `retouch watch {known.job}`, "
            f"or end it with `retouch cancel {known.job}`"
        )


async def _ended(folder: JobFolder) -> bool:
    status = await last_status(folder)
    return status is not None and status.state in ENDED


async def _check_copy(known: Entry | None, folder: JobFolder) -> None:
    if known is None or not known.submitted:
        return
    original = JobFolder.at(known.out)
    if _same(folder.store, original.store):
        return
    # One that was moved has left nothing behind.
    if await original.spec() is not None and not await _ended(original):
        raise JobError(
            f"{folder.store.url} is a copy of job {known.job}, which was handed to the workers in {known.out}: go on "
            f"with --out {known.out}, or end that one with `retouch cancel {known.job}`"
        )


def _same(one: Store, other: Store) -> bool:
    """Whether they are one place; on a disk it may have several names."""
    if one.folder and other.folder and one.folder.exists() and other.folder.exists():
        return one.folder.samefile(other.folder)
    return one.url == other.url


async def _keep_spooled(scratch: Path, folder: JobFolder) -> None:
    """Standard input comes once: what was read of it stays with the job."""
    if await folder.store.get(SPOOLED_MANIFEST, 1) is None:
        copy = scratch / "manifest.copy"
        await asyncio.to_thread(shutil.copyfile, scratch / SPOOL, copy)
        await folder.store.put_file(SPOOLED_MANIFEST, copy)


async def _at(out: str, wanted: Spec, registry: Store) -> tuple[JobFolder, Spec]:
    folder = JobFolder.at(out)
    there = await folder.spec()
    if there is None:
        begun = await _begun(folder, wanted, registry)
        if begun is not None:
            return folder, begun
        there = await folder.spec()
    if there is None:
        raise JobError(f"{out}: its job.json came and went; is somebody else writing there?")
    unlike = differences(there, wanted)
    if unlike:
        raise JobError(
            f"{out} holds job {there.job}, which was begun with another {', '.join(unlike)}: "
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
            f"A new job, which pays anew: {earlier}, of the same manifest and options, has ended. `retouch retry` "
            "settles again what is not done in it, and --reuse takes over what it has paid for."
        )
    while True:
        folder = JobFolder.at(f"{registry.url}/{new_id(wanted, time.time())}")
        begun = await _begun(folder, wanted, registry)
        if begun is not None:
            return folder, begun
        await asyncio.sleep(_NEXT_ID)


async def _unfinished(registry: Store, wanted: Spec, manifest: Manifest) -> Entry | None:
    entry = await newest_unfinished(registry, wanted)
    return entry if entry is not None and await _same_input(entry, manifest) else None


async def _begun(folder: JobFolder, wanted: Spec, registry: Store) -> Spec | None:
    """Begin a job in *folder* under an id that no other job has; ``None`` when another began one there first."""
    while True:
        job = new_id(wanted, time.time())
        if await claim_id(registry, Entry(job=job, out=folder.store.url)):
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


async def _same_input(entry: Entry, manifest: Manifest) -> bool:
    """A file is known by its path, and a change of it is refused later; standard input by its bytes alone.

    Whoever has tried a few rows and then mends the manifest begins anew: that trial has ended, and is let be.
    """
    folder = JobFolder.at(entry.out)
    if manifest.source != "-":
        return not await _ended(folder) or await begins_alike(folder, manifest)
    begun = await folder.source()
    return begun is not None and begun == await asyncio.to_thread(manifest.fingerprint)


def spec_for(asked: JobOptions, manifest: Manifest) -> Spec:
    """What *asked* means, for a job that has neither a name nor a folder yet."""
    shared = {name: getattr(asked, name) for name in Spec.__struct_fields__ if hasattr(asked, name)}
    return Spec(
        **{
            **shared,
            "job": "",
            "out": "",
            "manifest": manifest.source,
            "root": str(manifest.root),
            "created_at": utc(time.time()),
            # What lies in a bucket is there for every worker.
            "uploaded": asked.upload and isinstance(manifest.root, Path),
        }
    )
