"""``retouch retry``: settle again what is not done; what is done is never touched."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec

from jobs import environment
from jobs.exits import exit_code
from jobs.live import View, open_view
from jobs.run import Running
from jobs.standing import registry, spec_of, standings, the_job
from pipeline.edit import State, Status
from pipeline.errors import JobError
from pipeline.job.folder import JobFolder
from pipeline.job.hold import held
from pipeline.job.registry import Entry
from pipeline.job.results import write_status
from pipeline.job.rounds import open_round
from pipeline.job.spec import Spec
from pipeline.local import LocalJob
from pipeline.report.words import plural
from workers.submitting import hand_over


def retry(*, job: str, reason: str | None, prompt: str | None, json: bool) -> int:
    """Settle again; a ``run`` job here and now, a submitted one by the workers."""
    reasons = frozenset(word.strip() for word in (reason or "").split(",") if word.strip())
    view = open_view(json=json)
    try:
        return asyncio.run(_retry(job, reasons, prompt, view))
    finally:
        view.close()


async def _retry(job: str, reasons: frozenset[str], prompt: str | None, view: View) -> int:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    spec = await spec_of(entry, folder)
    if entry.submitted:
        return await _by_workers(entry, folder, spec, reasons, prompt, view)
    with held(folder.store):
        await _open(entry, folder, reasons, prompt, view)
        with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
            running = Running(view, LocalJob(folder, spec, None, registry()))
            status = await running.to_its_end(Path(scratch))
    view.close(status)
    return exit_code(status)


async def _by_workers(
    entry: Entry, folder: JobFolder, spec: Spec, reasons: frozenset[str], prompt: str | None, view: View
) -> int:
    await _open(entry, folder, reasons, prompt, view)
    await hand_over(environment.redis_url(), folder, spec)
    view.say(f"Watch it: retouch watch {entry.job}")
    async with standings() as known:
        view.close((await known.of(entry)).status)
    return 0


async def _open(
    entry: Entry, folder: JobFolder, reasons: frozenset[str], prompt: str | None, view: View
) -> None:
    planned = await folder.planned()
    if planned is None:
        raise JobError(
            f"{entry.job} has not read its manifest to the end: let it, then retry what is not done"
        )
    rows = await open_round(folder, planned.shards, reasons=reasons, prompt=prompt)
    await _reopen(folder)
    view.say(f"{plural(rows, 'row')} will be settled again.")


async def _reopen(folder: JobFolder) -> None:
    """The report says that the job is not at its end any more, before anybody relies on it."""
    data = await folder.store.get("report.json")
    if data is not None:
        status = msgspec.json.decode(data, type=Status)
        await write_status(folder, msgspec.structs.replace(status, state=State.QUEUED, finished_at=None))
