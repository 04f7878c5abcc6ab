"""``retouch retry``: settle the rows again that are not done; those that are done are never touched."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec

from jobs import environment
from jobs.confirm import confirmed
from jobs.exits import exit_code
from jobs.live import View, viewing
from jobs.notifying import hook
from jobs.running import Running
from jobs.standing import registry, spec_of, standings, the_job
from pipeline.errors import JobError, UsageError
from pipeline.job.folder import JobFolder
from pipeline.job.limits import limits_of
from pipeline.job.registry import JobEntry, last_status
from pipeline.job.results import write_status
from pipeline.job.rounds import open_round, plan_round
from pipeline.job.runlock import run_lock
from pipeline.job.spec import Spec
from pipeline.local import LocalJob
from pipeline.report.words import plural
from pipeline.status import State
from pipeline.store.leftovers import remove_leftovers
from workers.submitting import hand_over


class RetryRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are retried, and how much may be spent on them without asking; ``None``: anything."""

    reasons: frozenset[str]
    prompt: str | None
    confirm_above: float | None


def retry(
    *, job: str, reason: str | None, prompt: str | None, confirm_above: float, yes: bool, json: bool
) -> int:
    """Retry the rows: those of a ``run`` job in this process, those of a submitted one by the workers."""
    reasons = frozenset(word.strip() for word in (reason or "").split(",") if word.strip())
    if reason is not None and not reasons:
        raise UsageError(
            f"--reason {reason!r} contains no reason: leave it out to retry every row that is not done"
        )
    again = RetryRequest(reasons=reasons, prompt=prompt, confirm_above=None if yes else confirm_above)
    with viewing(json=json) as view:
        return asyncio.run(_retry(job, again, view))


async def _retry(job: str, again: RetryRequest, view: View) -> int:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    spec = await spec_of(entry, folder)
    await folder.check_writable()
    if entry.submitted:
        return await _by_workers(entry, folder, spec, again, view)
    local = LocalJob(folder, spec, None, registry())
    async with run_lock(folder.store, local.give_way):
        remove_leftovers(folder.store.folder)
        await _open(folder, spec, again, view)
        with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
            running = Running(view, local, command=hook())
            status = await running.to_its_end(Path(scratch))
    view.close(status)
    return exit_code(status)


async def _by_workers(entry: JobEntry, folder: JobFolder, spec: Spec, again: RetryRequest, view: View) -> int:
    await _open(folder, spec, again, view)
    await hand_over(environment.redis_url(), folder, spec)
    view.say(f"Watch it: retouch watch {entry.job}")
    async with standings() as known:
        view.close((await known.of(entry)).status)
    return 0


async def _open(folder: JobFolder, spec: Spec, again: RetryRequest, view: View) -> None:
    planned = await folder.planned()
    if planned is None:
        raise JobError(f"{spec.job} is still reading its manifest: wait until it is read, then retry")
    plan = await plan_round(folder, planned.shards, reasons=again.reasons, prompt=again.prompt)
    what = f"{plural(plan.rows, 'row')} again"
    budget = limits_of(spec, await folder.wanted()).budget
    if not await asyncio.to_thread(confirmed, view, what, plan.cost(spec), again.confirm_above, budget):
        raise UsageError("not confirmed, so nothing is retried; choose fewer rows with --reason")
    await open_round(folder, plan)
    await _reopen(folder)
    view.say(f"{plural(plan.rows, 'row')} will be retried.")


async def _reopen(folder: JobFolder) -> None:
    """Note in the report that the job has not ended any more, before anybody relies on it."""
    status = await last_status(folder)
    if status is not None:
        await write_status(folder, msgspec.structs.replace(status, state=State.QUEUED, finished_at=None))
