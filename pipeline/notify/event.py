"""What is told of a job, and when; pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from pipeline.engine.brake import PAUSED
from pipeline.record import Outcome
from pipeline.status import State, Status

#: Seconds for which a job must have waited before it is told: most waits are over before anybody could act.
PATIENCE = 300.0
#: Settled rows from which on a share of them says something.
ENOUGH = 20

#: Outcomes that a failure bound counts; a row that was cancelled has not failed.
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
    #: Told to nobody: the job goes on, so that its next stop is another one.
    RUNNING = "running"


_ENDS = frozenset({EventKind.FINISHED, EventKind.CANCELLED})
_STOPS = frozenset({EventKind.HALTED, EventKind.PAUSED, EventKind.WAITING})


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that has happened; *mark* tells it from another of its kind."""

    kind: EventKind
    mark: str = ""


class Bound(msgspec.Struct, frozen=True):
    """How many rows may fail before somebody is told: so many, or this share of the settled ones."""

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
    """The events that are to be written down now.

    Args:
        told: what was written down before, in order.
        status: how the job stands.
        bound: how many failures are news; ``None``: no number is.
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
    """Whether nobody was told of failures since the job's last end."""
    for event in reversed(told):
        if event.kind is EventKind.FAILURES:
            return False
        if event.kind in _ENDS:
            return True
    return True
