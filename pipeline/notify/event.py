"""Which events of a job are worth a notification; pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from pipeline.engine.brake import PAUSED
from pipeline.record import Outcome
from pipeline.status import State, Status

#: Seconds for which a job must have waited to be worth a notification: most waits end before anybody could act.
PATIENCE = 300.0
#: Settled rows from which on a share of them is meaningful.
ENOUGH = 20

#: Outcomes that count as failures; a cancelled row has not failed.
_FAILURES = (Outcome.FAILED, Outcome.BLOCKED, Outcome.INVALID)


class EventKind(StrEnum):
    """What has happened."""

    FINISHED = "finished"
    CANCELLED = "cancelled"
    HALTED = "halted"
    PAUSED = "paused"
    WAITING = "waiting"
    FAILURES = "failures"
    #: A scheduled run could not be started: there is no job.
    REFUSED = "refused"
    #: Nobody is notified: the job continues, so its next stop is a new one.
    RUNNING = "running"


_ENDS = frozenset({EventKind.FINISHED, EventKind.CANCELLED})
_STOPS = frozenset({EventKind.HALTED, EventKind.PAUSED, EventKind.WAITING})


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened; *mark* distinguishes it from others of its kind."""

    kind: EventKind
    mark: str = ""


class Bound(msgspec.Struct, frozen=True):
    """How many rows may fail before somebody is notified: a number, or a share of the settled rows."""

    rows: int | None = None
    share: float | None = None

    def passed(self, status: Status) -> bool:
        """Whether more have failed."""
        failures = sum(status.outcomes.get(outcome.value) or 0 for outcome in _FAILURES)
        if self.share is None:
            return failures > (self.rows or 0)
        settled = sum(status.outcomes.get(outcome.value) or 0 for outcome in Outcome)
        enough = settled >= ENOUGH or status.outcomes.get("pending") == 0
        return enough and failures > self.share * settled


def due(told: Sequence[Event], status: Status, *, bound: Bound | None, waited: float) -> list[Event]:
    """The events to record now.

    Args:
        told: the events recorded so far, in order.
        status: the job's status.
        bound: how many failures are worth a notification; ``None``: no number is.
        waited: seconds for which the job has been waiting.
    """
    state = _event(status, waited)
    return [
        *([Event(kind=EventKind.FAILURES)] if bound and bound.passed(status) and _unsaid(told) else []),
        *([state] if state and _is_news(told, state) else []),
    ]


def _event(status: Status, waited: float) -> Event | None:
    reason = status.state_reason or ""
    match status.state:
        case State.FINISHED | State.CANCELLED:
            # Finished again after a retry is news; the same end, seen by another process, is not.
            counts = " ".join(f"{name}={count}" for name, count in sorted(status.outcomes.items()))
            return Event(kind=EventKind(status.state), mark=f"calls={status.calls} {counts}")
        case State.HALTED | State.PAUSED:
            return None if reason == PAUSED else Event(kind=EventKind(status.state), mark=reason)
        case State.WAITING:
            return Event(kind=EventKind.WAITING) if waited >= PATIENCE else None
        case State.QUEUED | State.RUNNING:
            return Event(kind=EventKind.RUNNING)


def _is_news(told: Sequence[Event], event: Event) -> bool:
    states = [one for one in told if one.kind is not EventKind.FAILURES]
    if event.kind is EventKind.RUNNING:
        return bool(states) and states[-1].kind in _STOPS
    if event.kind in _ENDS:
        return event not in [one for one in states if one.kind in _ENDS][-1:]
    return event not in states[-1:]


def _unsaid(told: Sequence[Event]) -> bool:
    """Whether nobody was notified of failures since the job last ended."""
    for event in reversed(told):
        if event.kind is EventKind.FAILURES:
            return False
        if event.kind in _ENDS:
            return True
    return True
