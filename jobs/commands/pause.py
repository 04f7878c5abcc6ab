"""``retouch pause`` and ``retouch resume``: a paused job costs nothing, and stays paused across restarts."""

from __future__ import annotations

import asyncio
import time

import msgspec

from jobs import environment
from jobs.live import View, viewing
from jobs.standing import LEFT, Standings, spec_of, standings, the_job
from jobs.words import STOPPED
from pipeline.engine.brake import PAUSED
from pipeline.job.folder import JobFolder
from pipeline.job.registry import JobEntry
from pipeline.job.results import write_status
from pipeline.status import State, Status
from workers.submitting import hand_over, want

#: Seconds in which a process hears of it, and between two looks whether it has; a `run` looks every two.
_PATIENCE, _LOOK = 8.0, 0.2

_DONE = {
    State.PAUSED: "paused: calls in flight finish and no new ones start; `retouch resume` continues it",
    State.RUNNING: "resumed",
}


def pause(*, job: str, json: bool) -> int:
    """Start no new calls for *job*."""
    return _set(job, State.PAUSED, json=json)


def resume(*, job: str, json: bool) -> int:
    """Continue *job*."""
    return _set(job, State.RUNNING, json=json)


def _set(job: str, state: State, *, json: bool) -> int:
    with viewing(json=json) as view:
        view.close(asyncio.run(_wish(job, state, view)))
    return 0


async def _wish(job: str, state: State, view: View) -> Status:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    async with standings() as known:
        before = await known.of_unfinished(entry)
        wanted = msgspec.structs.replace(await folder.wanted(), state=state)
        if not entry.submitted:
            await folder.want(wanted)
        elif not await want(environment.redis_url(), folder, entry.job, wanted):
            await _rebuild(entry, folder, state, view)
        if not entry.submitted and not before.alive:
            view.say(f"No process is working on {entry.job}: run the command that started it to continue.")
            status = await _written(folder, before.status, state)
        else:
            status = await _heard(entry, known, state)
        view.say(f"{entry.job} is {_DONE[state]}.")
        return status


async def _written(folder: JobFolder, before: Status, state: State) -> Status:
    """Say in the report of a job that nobody works on how it stands now."""
    paused = state is State.PAUSED
    status = msgspec.structs.replace(
        before, state=State.PAUSED if paused else State.QUEUED, state_reason=PAUSED if paused else LEFT
    )
    await write_status(folder, status)
    return status


async def _heard(entry: JobEntry, known: Standings, state: State) -> Status:
    """How the job stands when whoever works on it has heard, or has had the time to.

    A ``run`` says in its report that it has; a worker has once its heart has beaten again.
    """
    end = time.monotonic() + _PATIENCE
    first = standing = await known.of(entry)
    while True:
        status = standing.status
        is_as_wanted = (status.state is State.PAUSED) is (state is State.PAUSED)
        all_have_heard = all(standing.workers.get(name) != beat for name, beat in first.workers.items())
        if (
            (is_as_wanted and all_have_heard)
            or status.state in STOPPED - {State.PAUSED}
            or time.monotonic() > end
        ):
            return status
        await asyncio.sleep(_LOOK)
        standing = await known.of(entry)


async def _rebuild(entry: JobEntry, folder: JobFolder, state: State, view: View) -> None:
    """Redis has lost the job: what is in the folder is all that is needed."""
    if state is State.RUNNING:
        await hand_over(environment.redis_url(), folder, await spec_of(entry, folder))
        view.say(f"Redis had lost {entry.job}; it was restored from {entry.out}.")
