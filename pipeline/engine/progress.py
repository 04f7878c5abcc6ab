"""The figures of a running job, and the status object that is made of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.edit import Attempt, Outcome, Record, State, Status, Totals, Verdict
from pipeline.ports import Observer, Progress

#: Seconds over which pictures a minute are counted.
WINDOW = 60.0


class LocalProgress:
    """:class:`pipeline.ports.Progress` for one process.

    Attributes:
        totals: what is settled, and the calls of rows that are not.
        in_flight: calls that are begun and not answered.
        waiting_for: why the job waits, if it does.
        unreachable: that no connection can be made, since the last call that was begun.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.totals = Totals()
        self.in_flight = 0
        self.waiting_for: str | None = None
        self.unreachable: str | None = None
        self._clock = clock
        self._began = clock()
        self._settled: deque[float] = deque()

    def call_begun(self) -> None:
        self.in_flight += 1

    def call_ended(self, attempt: Attempt) -> None:
        self.in_flight -= attempt.begun
        if attempt.begun:
            self.unreachable = None
        elif attempt.verdict is Verdict.NETWORK:
            self.unreachable = f"the API cannot be reached ({attempt.detail}); it is tried again"
        self.totals += Totals(
            verdicts={attempt.verdict: 1},
            calls=int(attempt.begun),
            calls_unknown=int(attempt.unknown),
            calls_unpriced=int(attempt.unpriced),
            cost_usd=attempt.cost_usd or 0.0,
        )

    def row_settled(self, record: Record) -> None:
        self.totals += Totals(outcomes={record.outcome: 1})
        if record.outcome is Outcome.DONE:
            self._settled.append(self._clock())

    def found(self, totals: Totals) -> None:
        self.totals += totals

    def waiting(self, reason: str | None) -> None:
        self.waiting_for = reason

    def exactly(self, totals: Totals) -> None:
        """Replace the running sums with those of the records."""
        self.totals = totals

    def images_per_minute(self) -> float:
        """Pictures of the last minute, or of the time since the start if that is shorter."""
        now = self._clock()
        while self._settled and self._settled[0] < now - WINDOW:
            self._settled.popleft()
        seconds = min(WINDOW, max(now - self._began, 1.0))
        return len(self._settled) * 60.0 / seconds


class Observed:
    """:class:`pipeline.ports.Progress` that tells *observers*, too."""

    def __init__(self, progress: Progress, observers: Sequence[Observer]) -> None:
        self._progress = progress
        self._observers = observers
        self.found = progress.found
        self.waiting = progress.waiting

    def call_begun(self) -> None:
        self._progress.call_begun()
        for observer in self._observers:
            observer.call_begun()

    def call_ended(self, attempt: Attempt) -> None:
        self._progress.call_ended(attempt)
        for observer in self._observers:
            observer.call_ended(attempt)

    def row_settled(self, record: Record) -> None:
        self._progress.row_settled(record)
        for observer in self._observers:
            observer.row_settled(record)


def status_of(
    totals: Totals,
    *,
    job: str,
    out: str,
    state: State,
    state_reason: str | None = None,
    rows: int | None = None,
    in_flight: int = 0,
    images_per_minute: float | None = None,
    submitted_at: str | None = None,
    started_at: str | None = None,
    finished_at: str | None = None,
) -> Status:
    """The status object of a job with these *totals*."""
    ended = state in (State.FINISHED, State.CANCELLED)
    outcomes: dict[str, int | None] = {outcome.value: totals.outcomes.get(outcome, 0) for outcome in Outcome}
    pending = None if rows is None else max(0, rows - totals.settled)
    outcomes["pending"] = pending
    return Status(
        job=job,
        out=out,
        state=state,
        state_reason=state_reason,
        rows=rows,
        outcomes=outcomes,
        calls=totals.calls,
        calls_unknown=totals.calls_unknown,
        calls_unpriced=totals.calls_unpriced,
        verdicts=totals.verdicts,
        in_flight=in_flight,
        cost_usd=_cost(totals),
        images_per_minute=None if ended or images_per_minute is None else round(images_per_minute, 1),
        eta_seconds=_eta(state, pending, images_per_minute),
        submitted_at=submitted_at,
        started_at=started_at,
        finished_at=finished_at,
    )


def _cost(totals: Totals) -> float | None:
    """The dollars that are known; ``None`` where calls may have been paid for and no price is."""
    if not totals.cost_usd and (totals.calls_unpriced or totals.calls_unknown):
        return None
    return round(totals.cost_usd, 6)


def _eta(state: State, pending: int | None, images_per_minute: float | None) -> float | None:
    if state is not State.RUNNING or pending is None or not images_per_minute:
        return None
    return round(pending * 60.0 / images_per_minute, 1)
