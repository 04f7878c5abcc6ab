"""``retouch watch``: a live view of a job, to its end."""

from __future__ import annotations

import asyncio
import time

from jobs.commands.report import rewritten
from jobs.exits import INTERRUPTED, exit_code
from jobs.live import View, viewing
from jobs.standing import Standing, Standings, standings, the_job
from jobs.words import STOPPED
from pipeline.job.registry import JobEntry
from pipeline.status import ENDED, State

#: Seconds between two updates.
_EVERY = 0.5

#: Seconds for which no process may be found for a ``run``, which may just be starting.
PATIENCE = 3.0


def watch(*, job: str, json: bool) -> int:
    """Show *job* until it stops; the exit code, as of ``run``."""
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
        # A worker would write results and report soon, if any is left; this way they are there when we say so.
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
    """Show a job until it reaches a state of *until*, or for *seconds*; its status then.

    A ``run`` without a process is not waited for: it does not restart by itself.
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
    """Whether a job has reached a state of *until* and is idle: its last calls may end after the state changes."""
    busy = standing.status.in_flight > 0 if entry.submitted else standing.alive
    return standing.status.state in until and not busy
