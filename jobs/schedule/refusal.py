"""Tells the webhook of a schedule that a run could not be started: there is no job that could tell of it.

As with a job's events, it is told *at least once*: before the outcome of the slot is written, and under one name.
"""

from __future__ import annotations

import logging
import time

from jobs.notifying import notify_asked
from jobs.schedule.options import asked_of
from jobs.schedule.schedule import Schedule
from jobs.schedule.slots import SlotClaim
from pipeline.errors import RetouchError
from pipeline.notify.event import Event, EventKind
from pipeline.notify.journal import JournalEntry
from pipeline.notify.notifier import to_webhook
from pipeline.notify.settings import secret_key
from pipeline.status import State, Status
from pipeline.urls.public import PublicClients

log = logging.getLogger("retouch.scheduler")


async def tell_refused(schedule: Schedule, claim: SlotClaim, reason: str) -> None:
    """Tell that *claim* becomes no job for *reason*; a fault of the telling is logged."""
    clients = PublicClients()
    try:
        notify = notify_asked(asked_of(schedule.options))
        fault = await to_webhook(clients, notify, 1, _entry(schedule, claim, reason), secret_key())
    except RetouchError as error:
        fault = str(error)
    finally:
        await clients.aclose()
    if fault:
        log.warning("refusal_not_told schedule=%s slot=%s: %s", schedule.name, claim.slot, fault)


def _entry(schedule: Schedule, claim: SlotClaim, reason: str) -> JournalEntry:
    status = Status(
        job=claim.job,
        out="",
        state=State.HALTED,
        state_reason=f"the schedule {schedule.name} could not start it: {reason}",
    )
    return JournalEntry(event=Event(kind=EventKind.REFUSED), status=status, at=time.time())
