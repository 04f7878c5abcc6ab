"""``retouch schedule run``: start a run now."""

from __future__ import annotations

import asyncio
import time

from jobs import environment, output
from jobs.schedule.book import ScheduleBook
from jobs.schedule.launch import Launcher
from jobs.schedule.settling import claim_slot, new_claim, settle_open
from jobs.schedule.slots import Ended, SlotOutcome
from jobs.standing import registry
from pipeline.errors import JobError
from workers.shared.schedules import Schedules
from workers.submitting import redis_at

#: Seconds to wait for a scheduler that is busy with the same schedule, and between two attempts.
_PATIENCE, _LOOK = 5.0, 0.2


def run_now(*, name: str, json: bool) -> None:
    """Start a run of *name* and print its job."""
    slot, outcome = asyncio.run(_run(name))
    if json:
        output.write_json(outcome or {"slot": slot, "ended": "queued", "job": None})
    elif outcome is None:
        output.say("Queued: `retouch scheduler` starts it when the previous run has ended.")
    elif outcome.job:
        output.say(f"{f'{outcome.reason}. ' if outcome.reason else ''}Watch it: retouch watch {outcome.job}")
        output.write_line(outcome.job)
    else:
        output.say(f"No job was created: {outcome.reason}.")


async def _run(name: str) -> tuple[str, SlotOutcome | None]:
    """The slot of the run, and what became of it; ``None``: it waits for the previous run.

    Raises:
        JobError: there is no such schedule, or no run of it can be started now.
    """
    book = ScheduleBook(registry())
    schedule = await book.find(name)
    async with redis_at(environment.redis_url()) as redis:
        copies = Schedules(redis, book.store.url)
        now = time.time()
        claim = new_claim(schedule, now, now, by_hand=True)
        await claim_slot(book, schedule, claim)
        runner = Launcher(book, environment.redis_url())
        end = time.monotonic() + _PATIENCE
        outcome = None
        while outcome is None and time.monotonic() < end:
            # A scheduler may have settled it meanwhile, or be busy with an earlier slot.
            if not await settle_open(book, copies, schedule, runner.begin):
                await asyncio.sleep(_LOOK)
            outcome = await book.outcome(name, claim.slot)
        if outcome is None:
            await copies.stir()
    if outcome is not None and outcome.ended in (Ended.SKIPPED, Ended.REFUSED):
        raise JobError(f"no run of {name} was started: {outcome.reason}")
    return claim.slot, outcome
