"""``retouch watch``: a live view of a job, to its end."""

from __future__ import annotations

import asyncio
import time

from jobs.exits import INTERRUPTED, exit_code
from jobs.live import View, viewing
from jobs.report import rewritten
from jobs.standing import Standing, Standings, standings, the_job
from jobs.words import STOPPED
from pipeline.job.registry import JobEntry
from pipeline.status import ENDED, State

#: Seconds between two looks.
_EVERY = 0.5

#: Seconds for which a ``run`` may have no process: it may just be starting.
PATIENCE = 3.0


def watch(*, job: str, json: bool) -> int:
    """Show *job* until it stops; the exit code that ``run`` would give."""
    with viewing(json=json) as view:
        try:
            return asyncio.run(_watch(job, view))
        except KeyboardInterrupt:
            view.close()
            view.say(f"The job continues; `retouch watch {job}` shows it again.")
            return INTERRUPTED


async def _watch(job: str, view: View) -> int:
    entry = await the_job(job)
    async with standings() as known:
        status = (await follow(entry, known, view)).status
    if entry.submitted and status.state in STOPPED - ENDED:
        # Workers write them soon, if one is left: whoever is told that the job has stopped finds them now.
        status = await rewritten(entry)
    view.close(status)
    return exit_code(status)


async def follow(
    entry: JobEntry,
    known: Standings,
    view: View,
    *,
    until: frozenset[State] = STOPPED,
    seconds: float = float("inf"),
) -> Standing:
    """Show a job until it stands at one of *until*, or *seconds* are over; how it stands then.

    Nobody takes a ``run`` up again by himself: one that was left is not waited for.
    """
    began = seen_alive = time.monotonic()
    note = None
    while True:
        standing = await known.of(entry)
        view.update(standing.status)
        if standing.note not in (None, note):
            view.say(f"{standing.note}.")
            note = standing.note
        now = time.monotonic()
        seen_alive = seen_alive if not standing.alive and not entry.submitted else now
        if _at_rest(entry, standing, until) or now - began >= seconds or now - seen_alive >= PATIENCE:
            return standing
        await asyncio.sleep(_EVERY)


def _at_rest(entry: JobEntry, standing: Standing, until: frozenset[State]) -> bool:
    """Whether a job is where it was to come; it says so before its last calls, and a ``run`` before its report."""
    at_work = standing.status.in_flight > 0 if entry.submitted else standing.alive
    return standing.status.state in until and not at_work
