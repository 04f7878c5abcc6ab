"""The figures of a running job, for those who watch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from pipeline.attempt import Attempt, Verdict
from pipeline.ports import Observer, Progress
from pipeline.record import Outcome, Record
from pipeline.status import Totals

#: Seconds over which pictures per minute are counted.
WINDOW = 60.0


class LocalProgress:
    """:class:`pipeline.ports.Progress` for one process.

    Attributes:
        totals: the settled rows, and the calls of the others too, from the moment they begin.
        in_flight: calls that have begun and are not answered yet.
        uploading: rows whose pictures are being uploaded.
        waiting_for: why the job is waiting, if it is.
        unreachable: a sentence, if no connection could be made since the last call that began.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.totals = Totals()
        self.in_flight = 0
        self.uploading = 0
        self.waiting_for: str | None = None
        self.unreachable: str | None = None
        self._clock = clock
        self._began = clock()
        self._settled: deque[float] = deque()

    def call_begun(self) -> None:
        self.in_flight += 1
        self.totals += Totals(calls=1)

    def call_ended(self, attempt: Attempt) -> None:
        self.in_flight -= attempt.begun
        if attempt.begun:
            self.unreachable = None
        elif attempt.verdict is Verdict.NETWORK:
            self.unreachable = (
                f"the API cannot be reached ({attempt.detail}): check the network, HTTPS_PROXY and "
                "GOOGLE_GEMINI_BASE_URL; retouch keeps trying"
            )
        self.totals += Totals(
            verdicts={attempt.verdict: 1},
            calls_unknown=int(attempt.unknown),
            calls_unpriced=int(attempt.unpriced),
            cost_usd=attempt.cost_usd or 0.0,
        )

    def upload_begun(self) -> None:
        self.uploading += 1

    def upload_ended(self) -> None:
        self.uploading -= 1

    def row_settled(self, record: Record) -> None:
        self.totals += Totals(outcomes={record.outcome: 1})
        if record.outcome is Outcome.DONE:
            self._settled.append(self._clock())

    def found(self, totals: Totals) -> None:
        self.totals += totals

    def waiting(self, reason: str | None) -> None:
        self.waiting_for = reason

    def exactly(self, totals: Totals) -> None:
        """Replace the running totals with those of the records."""
        self.totals = totals

    def images_per_minute(self) -> float:
        """Pictures per minute, over the last minute or since the start."""
        now = self._clock()
        while self._settled and self._settled[0] < now - WINDOW:
            self._settled.popleft()
        seconds = min(WINDOW, max(now - self._began, 1.0))
        return len(self._settled) * 60.0 / seconds


class Observed:
    """:class:`pipeline.ports.Progress` that also tells *observers*."""

    def __init__(self, progress: Progress, observers: Sequence[Observer]) -> None:
        self._progress = progress
        self._observers = observers
        self.upload_begun = progress.upload_begun
        self.upload_ended = progress.upload_ended
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
