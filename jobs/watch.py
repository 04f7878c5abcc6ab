"""``retouch watch``: a live view of a job, to its end."""

from __future__ import annotations

import asyncio
import time

from jobs.live import View, open_view
from jobs.run import exit_code
from jobs.standing import Standing, Standings, standings, the_job
from jobs.words import STOPPED
from pipeline.edit import State
from pipeline.job.registry import Entry
from workers.status import NO_WORKER

#: Seconds between two looks.
_EVERY = 0.5

#: Seconds that a job may be left alone before people hear of it. A worker that died is missed after six, and
#: ten are promised (issue 2, item 8).
PATIENCE = 3.0


def watch(*, job: str, json: bool) -> int:
    """Show *job* until it stops; the exit code that ``run`` would give."""
    view = open_view(json=json)
    try:
        return asyncio.run(_watch(job, view))
    except KeyboardInterrupt:
        view.close()
        view.say(f"The job goes on without being watched; `retouch watch {job}` shows it again.")
        return 130
    finally:
        view.close()


async def _watch(job: str, view: View) -> int:
    entry = await the_job(job)
    async with standings() as known:
        standing = await follow(entry, known, view)
    view.close(standing.status)
    return exit_code(standing.status)


async def follow(
    entry: Entry,
    known: Standings,
    view: View,
    *,
    until: frozenset[State] = STOPPED,
    seconds: float = float("inf"),
) -> Standing:
    """Show a job until it stands at one of *until*, or *seconds* are over; how it stands then."""
    alone = Alone(entry)
    began = time.monotonic()
    while True:
        standing = await known.of(entry)
        view.update(standing.status)
        if standing.status.state in until or time.monotonic() - began >= seconds:
            return standing
        if alone.for_long(standing):
            if not entry.submitted:
                return standing
            view.say(standing.note or NO_WORKER)
        await asyncio.sleep(_EVERY)


class Alone:
    """Notices that nobody works on a job; once for each time that it is left alone."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self._since: float | None = None
        self._said = False

    def for_long(self, standing: Standing) -> bool:
        """Whether nobody has worked on it for :data:`PATIENCE`, and this is the first time to say so."""
        if standing.alive:
            self._since, self._said = None, False
            return False
        now = time.monotonic()
        self._since = self._since or now
        if self._said or now - self._since < PATIENCE:
            return False
        self._said = True
        return True
