"""Settles open slots: each becomes a job, or a reason for none.

The order makes it safe to be killed at any point. A slot is claimed, and the claim names the job that it becomes;
the job is made under that name; the outcome is written. A process that finds a claim without an outcome continues
there.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from jobs.schedule.book import ScheduleBook
from jobs.schedule.schedule import Missed, Schedule
from jobs.schedule.slots import Ended, SlotClaim, SlotOutcome, slot_at
from pipeline.failpoints import failpoint
from workers.shared.schedules import Schedules

log = logging.getLogger("retouch.scheduler")

#: Seconds after which a slot counts as missed, and not just as late.
LATE = 300.0

#: Makes the job of a claimed slot; ``None``: not yet. May be called again for one that it has made already.
Begin = Callable[[Schedule, SlotClaim], Awaitable[SlotOutcome | None]]


def new_claim(
    schedule: Schedule, moment: float, now: float, *, missed: int = 0, by_hand: bool = False
) -> SlotClaim:
    """A claim, made *now*, on the slot at *moment*, with the name of a job that no other has."""
    day = datetime.fromtimestamp(moment, UTC)
    return SlotClaim(
        slot=slot_at(moment, by_hand=by_hand),
        job=f"{day:%Y%m%d-%H%M%S}-{schedule.name}-{secrets.token_hex(3)}",
        moment=moment,
        claimed_at=now,
        by_hand=by_hand,
        missed=missed,
    )


async def claim_slot(book: ScheduleBook, schedule: Schedule, claim: SlotClaim) -> bool:
    """Claim a slot; false when another has it."""
    taken = await book.claim(schedule.name, claim)
    if taken:
        failpoint("slot_claimed")
    return taken


async def settle_open(book: ScheduleBook, copies: Schedules, schedule: Schedule, begin: Begin) -> bool:
    """Settle the open slots of *schedule*, the oldest first; whether none is left.

    Raises:
        BrokerError: Redis is out of reach.
        StoreError: the store cannot be used.
    """
    async with copies.turn(schedule.name) as mine:
        if not mine:
            return False
        left = False
        for slot in await book.open_slots(schedule.name):
            claim = await book.claim_of(schedule.name, slot)
            if claim is None:
                continue
            outcome = None if _waits(schedule, claim) else await _settled(schedule, claim, begin)
            if outcome is None:
                left = True
                continue
            await book.settle(schedule.name, outcome)
            _tell(schedule, outcome)
        return not left


def outcome_of(claim: SlotClaim, ended: Ended, reason: str | None = None) -> SlotOutcome:
    """The outcome of *claim*, without a job, for *reason*."""
    return SlotOutcome(
        slot=claim.slot,
        moment=claim.moment,
        ended=ended,
        at=time.time(),
        by_hand=claim.by_hand,
        missed=claim.missed,
        reason=reason,
    )


def _waits(schedule: Schedule, claim: SlotClaim) -> bool:
    return schedule.paused and not schedule.removed and not claim.by_hand


async def _settled(schedule: Schedule, claim: SlotClaim, begin: Begin) -> SlotOutcome | None:
    if schedule.removed:
        return outcome_of(claim, Ended.SKIPPED, "the schedule was removed before its run started")
    late = claim.claimed_at - claim.moment > LATE
    if late and schedule.missed is Missed.SKIP:
        return outcome_of(claim, Ended.MISSED, "no scheduler was running")
    return await begin(schedule, claim)


def _tell(schedule: Schedule, outcome: SlotOutcome) -> None:
    if outcome.ended is Ended.REFUSED:
        # A warning: nobody sees the outcome at once, and the next run may fail in the same way.
        log.warning("schedule_refused schedule=%s slot=%s: %s", schedule.name, outcome.slot, outcome.reason)
        return
    picked = msgspec.to_builtins(outcome.picked) if outcome.picked else {}
    figures = "".join(f" {name}={count}" for name, count in picked.items())
    log.info(
        "schedule_run schedule=%s slot=%s ended=%s job=%s missed=%s%s%s",
        schedule.name,
        outcome.slot,
        outcome.ended.value,
        outcome.job or "-",
        outcome.missed,
        figures,
        f": {outcome.reason}" if outcome.reason else "",
    )
