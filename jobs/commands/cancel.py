"""``retouch cancel``: calls in flight finish, and all other rows are settled as cancelled."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import msgspec

from jobs import environment
from jobs.commands.watch import follow
from jobs.live import View, viewing
from jobs.notifying import hook, notifying
from jobs.standing import Standings, registry, spec_of, standings, the_job
from pipeline.cancel import cancel_rest
from pipeline.errors import BrokerError
from pipeline.job.folder import JobFolder
from pipeline.job.registry import JobEntry
from pipeline.job.runlock import run_lock
from pipeline.job.spec import Spec
from pipeline.ports import Wanted
from pipeline.status import ENDED, State, Status
from workers.submitting import want, withdraw

#: Seconds beyond the timeout of a call in which a cancelled job should have ended.
_GRACE = 30.0
#: Seconds between two checks whether workers are there.
_LOOK = 2.0

_NOT_YET = (
    "Not cancelled yet, but no new calls start. The next process that works on the job records the rest as "
    "cancelled."
)


def cancel(*, job: str, json: bool) -> int:
    """Cancel *job* and wait for it; 0 once no new call will be made for it."""
    with viewing(json=json) as view:
        view.close(asyncio.run(_cancel(job, view)))
    return 0


async def _cancel(job: str, view: View) -> Status:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    spec = await spec_of(entry, folder)
    async with standings() as known:
        before = await known.of(entry)
        if before.status.state in ENDED:
            view.say(f"{entry.job} has already ended; there is nothing to cancel.")
            return before.status
        if entry.submitted:
            return await _by_workers(entry, folder, spec, known, view)
        await folder.want(await _cancelled(folder))
        if not before.alive:
            return await _settle_rest(folder, spec)
        after = await follow(entry, known, view, until=ENDED, seconds=spec.timeout + _GRACE)
    if after.status.state not in ENDED:
        view.say(_NOT_YET)
    return after.status


async def _cancelled(folder: JobFolder) -> Wanted:
    return msgspec.structs.replace(await folder.wanted(), state=State.CANCELLED)


async def _settle_rest(folder: JobFolder, spec: Spec) -> Status:
    """Nobody works on the job, so settle its rest here; the lock keeps out a ``run`` that is just starting."""
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        async with run_lock(folder.store):
            status = await cancel_rest(folder, spec, registry(), Path(scratch))
    async with notifying(folder, hook()) as notifier:
        await notifier.look(status)
    return status


async def _by_workers(entry: JobEntry, folder: JobFolder, spec: Spec, known: Standings, view: View) -> Status:
    """Tell the workers, and wait; if there are none, and none can come back to a shard, settle the rest here."""
    url, end = environment.redis_url(), time.monotonic() + spec.timeout + _GRACE
    try:
        await want(url, folder, entry.job, await _cancelled(folder))
        while (standing := await known.of(entry)).status.state not in ENDED and time.monotonic() < end:
            if await withdraw(url, entry.job):
                return await _settle_rest(folder, spec)
            standing = await follow(entry, known, view, until=ENDED, seconds=_LOOK)
    except BrokerError as error:
        view.say(f"{error}. The request is stored: workers will follow it when they continue the job.")
        return (await known.of(entry)).status
    if standing.status.state not in ENDED:
        view.say(_NOT_YET)
    return standing.status
