"""``retouch submit``: hand a job to the workers."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from jobs import environment, output
from jobs.cli.options import asked_for
from jobs.confirm import confirmed, must_ask
from jobs.faults import tell_faults
from jobs.job_options import JobOptions
from jobs.live import View, viewing
from jobs.manifests import manifest_of
from jobs.notifying import notify_asked
from jobs.opening import open_job, taken_up
from jobs.planning import plan_job
from jobs.survey import Survey, survey_of
from pipeline.errors import JobError, UsageError
from pipeline.job.folder import Planned
from pipeline.job.registry import last_status
from pipeline.job.runlock import run_lock
from pipeline.job.totals import exact_totals
from pipeline.manifest import Manifest
from pipeline.notify.settings import NotifySettings
from pipeline.price import cost_left
from pipeline.report.words import plural
from pipeline.status import State, Status
from workers.shared.connection import check_redis
from workers.shared.status import NO_WORKER
from workers.submitting import hand_over


class Submitted(msgspec.Struct, frozen=True):
    """What ``submit --json`` prints."""

    job: str
    out: str
    rows: int


def submit(*, json: bool, **values: Any) -> int:
    """Queue the job; 0 once it is."""
    with viewing(json=json) as view:
        submitted = _submit(asked_for(values), view)
    if json:
        output.write_json(submitted)
    else:
        output.write_line(submitted.job)
    return 0


def _submit(asked: JobOptions, view: View) -> Submitted:
    """Survey and question run outside of an event loop, so that Ctrl-C ends them at once."""
    # First, so that nobody without Redis waits for a manifest of a million rows.
    check_redis(environment.redis_url())
    notify = notify_asked(asked)
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        manifest = manifest_of(asked, Path(scratch))
        survey = _surveyed(asked, manifest, view)
        _confirm(asked, manifest, survey, view)
        return asyncio.run(_queue(asked, notify, manifest, Path(scratch), view))


def _confirm(asked: JobOptions, manifest: Manifest, survey: Survey, view: View) -> None:
    what, cost = plural(survey.calls, "call"), survey.cost
    if must_ask(cost, asked.ask_above, asked.budget):
        settled = asyncio.run(_settled(asked, manifest))
        if settled:
            what = f"What is left of {plural(survey.rows, 'row')}"
            cost = cost_left(cost, survey.rows, settled)
    if not confirmed(view, what, cost, asked.ask_above, asked.budget):
        raise UsageError("not confirmed, so nothing was queued: pass --yes, or a smaller --limit")


async def _settled(asked: JobOptions, manifest: Manifest) -> int:
    """How many rows are settled already, if an existing job is resumed."""
    folder = await taken_up(asked, manifest)
    if folder is None:
        return 0
    await folder.rounds.refresh()
    return (await exact_totals(folder, await folder.plans.count())).settled


async def _queue(
    asked: JobOptions, notify: NotifySettings, manifest: Manifest, scratch: Path, view: View
) -> Submitted:
    folder, spec = await open_job(asked, manifest, scratch, submitted=True, tell=view.say)
    if (await folder.wanted()).state is State.CANCELLED:
        raise JobError(
            f"{spec.job} in {folder.store.url} was cancelled: `retouch retry {spec.job}` settles again what is not "
            "done, and another --out starts a new job"
        )
    async with run_lock(folder.store):
        planned = await plan_job(folder, spec, manifest, asked, notify)
    ended = _at_its_end(await last_status(folder), planned)
    handed = await hand_over(environment.redis_url(), folder, spec, adjust=True)
    if ended:
        view.say(
            f"{spec.job} is finished; there is nothing left to do. `retouch retry {spec.job}` tries again."
        )
    else:
        if not handed.workers:
            view.say(f"Queued, but {NO_WORKER}.")
        view.say(f"Watch it: retouch watch {spec.job}")
    return Submitted(spec.job, folder.store.url, planned.rows)


def _at_its_end(status: Status | None, planned: Planned) -> bool:
    return status is not None and status.state is State.FINISHED and status.rows == planned.rows


def _surveyed(asked: JobOptions, manifest: Manifest, view: View) -> Survey:
    survey = survey_of(asked, manifest)
    if tell_faults(survey, manifest, view.say):
        view.say(f"{plural(survey.faulty, 'row')} at fault: recorded as invalid and not sent.")
    for note in [*manifest.notes, *survey.notes()]:
        view.say(f"note: {note}")
    return survey
