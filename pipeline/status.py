"""How a job stands: the shape of ``report.json``, where fields may be added, never changed; pure.

Times are ISO 8601 in UTC with ``Z``; money is US dollars; durations are seconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.record import Outcome


class State(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting"
    HALTED = "halted"
    CANCELLED = "cancelled"
    FINISHED = "finished"


#: In these states no more rows are settled, unless the job is started again.
ENDED = frozenset({State.FINISHED, State.CANCELLED})


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over settled rows, of one shard or of a job; totals can be added.

    *cost_usd* is the sum of all known costs; *calls_unpriced* counts answered calls whose price is unknown.
    """

    outcomes: dict[str, int] = {}
    verdicts: dict[str, int] = {}
    calls: int = 0
    calls_unknown: int = 0
    calls_unpriced: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            outcomes=_added(self.outcomes, other.outcomes),
            verdicts=_added(self.verdicts, other.verdicts),
            calls=self.calls + other.calls,
            calls_unknown=self.calls_unknown + other.calls_unknown,
            calls_unpriced=self.calls_unpriced + other.calls_unpriced,
            cost_usd=self.cost_usd + other.cost_usd,
        )

    @property
    def settled(self) -> int:
        """The number of settled rows."""
        return sum(self.outcomes.values())


def _added(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in left | right}


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The status object, of ``report.json`` and of every ``--json`` (``records.md``).

    Attributes:
        job: the job's id.
        out: the job's folder, a path or a URL.
        state: where the job is.
        state_reason: why the job does not move, and how to fix it, in one sentence.
        rows: the number of rows in the manifest; ``None`` until all are read.
        outcomes: rows by outcome: always all five, and ``pending`` for unfinished rows.
        calls: the number of requests sent, even partly.
        calls_unknown: how many of them were never answered, and so may have been paid for.
        calls_unpriced: how many were answered at an unknown price.
        verdicts: attempts by verdict.
        in_flight: calls in progress.
        uploading: rows whose pictures, too large for a request, are being uploaded first.
        cost_usd: the sum of all known costs; ``None`` if nothing is known.
        budget_usd: what the job may cost at most; ``None``: no budget.
        images_per_minute: pictures in the last minute.
        eta_seconds: time until the last row is finished, at that pace.
        submitted_at: when the job was created.
        started_at: when its first row was started.
        finished_at: when it ended.
    """

    job: str
    out: str
    state: State
    state_reason: str | None = None
    rows: int | None = None
    outcomes: dict[str, int | None] = {}
    calls: int = 0
    calls_unknown: int = 0
    calls_unpriced: int = 0
    verdicts: dict[str, int] = {}
    in_flight: int = 0
    uploading: int = 0
    cost_usd: float | None = 0.0
    budget_usd: float | None = None
    images_per_minute: float | None = None
    eta_seconds: float | None = None
    submitted_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


def counted(status: Status, totals: Totals) -> Status:
    """*status* with the figures of *totals*, and with what follows from them and from its other fields."""
    outcomes: dict[str, int | None] = {outcome.value: totals.outcomes.get(outcome, 0) for outcome in Outcome}
    pending = None if status.rows is None else max(0, status.rows - totals.settled)
    pace = None if status.state in ENDED else status.images_per_minute
    return msgspec.structs.replace(
        status,
        outcomes={**outcomes, "pending": pending},
        calls=totals.calls,
        calls_unknown=totals.calls_unknown,
        calls_unpriced=totals.calls_unpriced,
        verdicts=totals.verdicts,
        cost_usd=_cost(totals),
        images_per_minute=None if pace is None else round(pace, 1),
        eta_seconds=_eta(status.state, pending, pace),
    )


def _cost(totals: Totals) -> float | None:
    """The known dollars; ``None`` if calls may have been paid for and no price is known."""
    if not totals.cost_usd and (totals.calls_unpriced or totals.calls_unknown):
        return None
    return round(totals.cost_usd, 6)


def _eta(state: State, pending: int | None, images_per_minute: float | None) -> float | None:
    if state is not State.RUNNING or pending is None or not images_per_minute:
        return None
    return round(pending * 60.0 / images_per_minute, 1)
