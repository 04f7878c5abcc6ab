"""``retouch pause`` and ``retouch resume``: a paused job costs nothing, and stays paused over restarts."""

from __future__ import annotations

import asyncio

import msgspec

from jobs import environment
from jobs.live import View, open_view
from jobs.standing import spec_of, standings, the_job
from jobs.words import ENDED
from pipeline.edit import State, Status
from pipeline.errors import JobError
from pipeline.job.folder import JobFolder
from pipeline.job.registry import Entry
from workers.submitting import announce, hand_over

_DONE = {
    State.PAUSED: "paused: calls in flight are let finish, no new one is begun; `retouch resume` lets it go on",
    State.RUNNING: "resumed",
}


def pause(*, job: str, json: bool) -> int:
    """Begin no new call for *job*."""
    return _set(job, State.PAUSED, json=json)


def resume(*, job: str, json: bool) -> int:
    """Let *job* go on."""
    return _set(job, State.RUNNING, json=json)


def _set(job: str, state: State, *, json: bool) -> int:
    view = open_view(json=json)
    try:
        view.close(asyncio.run(_wish(job, state, view)))
    finally:
        view.close()
    return 0


async def _wish(job: str, state: State, view: View) -> Status:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    async with standings() as known:
        before = await known.of(entry)
        if before.status.state in ENDED:
            raise JobError(
                f"{entry.job} has ended ({before.status.state}); `retouch retry` settles again what is not done"
            )
        # First what lasts, then who should know: a process that misses the word reads the file.
        wanted = msgspec.structs.replace(await folder.wanted(), state=state)
        await folder.want(wanted)
        if entry.submitted and not await announce(environment.redis_url(), entry.job, wanted):
            await _rebuild(entry, folder, state, view)
        elif not entry.submitted and not before.alive:
            view.say(f"No process works on {entry.job}: the command that began it goes on with it.")
        view.say(f"{entry.job} is {_DONE[state]}.")
        return (await known.of(entry)).status


async def _rebuild(entry: Entry, folder: JobFolder, state: State, view: View) -> None:
    """Redis has lost the job: what is in the folder is all that is needed."""
    if state is State.RUNNING:
        await hand_over(environment.redis_url(), folder, await spec_of(entry, folder))
        view.say(f"Redis did not know {entry.job} any more: it was built again from {entry.out}.")
