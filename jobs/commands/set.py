"""``retouch set``: change pace, budget, slots or timeout of a job while it runs."""

from __future__ import annotations

import asyncio

import msgspec

from jobs import environment
from jobs.live import View, viewing
from jobs.standing import spec_of, standings, the_job
from pipeline.errors import UsageError
from pipeline.job.folder import JobFolder
from pipeline.job.limits import Limits, limited, limits_of
from pipeline.job.registry import JobEntry
from pipeline.ports import Wanted
from pipeline.report.words import money, plural
from pipeline.status import State, Status
from workers.submitting import want

#: What ``none`` on the command line becomes: no limit.
NO_LIMIT = float("inf")


def change(
    *,
    job: str,
    rpm: float | None,
    budget: float | None,
    max_in_flight: int | None,
    timeout: float | None,
    json: bool,
) -> int:
    """Change the given limits of *job*; 0 once its processes are told."""
    said = {"rpm": rpm, "budget": budget, "max_in_flight": max_in_flight, "timeout": timeout}
    given = {name: None if value == NO_LIMIT else value for name, value in said.items() if value is not None}
    if not given:
        raise UsageError("nothing to change: give --rpm, --budget, --max-in-flight or --timeout")
    with viewing(json=json) as view:
        view.close(asyncio.run(_change(job, given, view)))
    return 0


async def _change(job: str, given: dict[str, float | None], view: View) -> Status:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    spec = await spec_of(entry, folder)
    async with standings() as known:
        before = await known.of_unfinished(entry)
        there = await folder.wanted()
        limits = msgspec.structs.replace(limits_of(spec, there), **given)
        wanted = limited(there, limits)
        if entry.submitted:
            # Paused by its budget, and not by a person.
            paused_itself = before.status.state is State.PAUSED and wanted.state is State.RUNNING
            await _by_workers(entry, folder, wanted, view, goes_on=paused_itself and "budget" in given)
        else:
            await folder.want(wanted)
            if not before.alive:
                view.say(
                    f"No process is working on {entry.job}: give the same options to the command that continues it."
                )
        view.say(f"{entry.job}: {_in_words(limits)}.")
        return (await known.of(entry)).status


async def _by_workers(
    entry: JobEntry, folder: JobFolder, wanted: Wanted, view: View, *, goes_on: bool
) -> None:
    if not await want(environment.redis_url(), folder, entry.job, wanted, goes_on=goes_on):
        view.say(
            f"Redis does not know {entry.job}; the change is stored in {entry.out} and applies when the job "
            "continues."
        )
    elif goes_on:
        view.say(f"{entry.job} continues; it pauses again if it reaches the budget again.")


def _in_words(limits: Limits) -> str:
    return ", ".join(
        (
            "no limit on calls per minute" if limits.rpm is None else f"{limits.rpm:g} calls per minute",
            "no budget" if limits.budget is None else f"a budget of {money(limits.budget)}",
            f"{plural(limits.max_in_flight, 'call')} at the same time in each process",
            f"{limits.timeout:g} s for a call",
        )
    )
