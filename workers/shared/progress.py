"""The progress of a shard, as heartbeats report it."""

from __future__ import annotations

from pipeline.attempt import Attempt
from pipeline.engine.progress import LocalProgress
from pipeline.record import Record
from pipeline.status import Totals


class ShardProgress:
    """:class:`pipeline.ports.Progress` of one shard; heartbeats carry its totals to Redis.

    The totals cover the whole shard, with the work of earlier workers: reporting them again changes nothing, and a
    worker that takes the shard over replaces them by what the job folder says.

    Args:
        job: the figures of the whole job in this process, which are updated as well.
    """

    def __init__(self, job: LocalProgress) -> None:
        self._job = job
        self._own = LocalProgress()
        self._said: Totals | None = None

    @property
    def totals(self) -> Totals:
        """What is settled and called in this shard so far."""
        return self._own.totals

    def call_begun(self) -> None:
        self._own.call_begun()
        self._job.call_begun()

    def call_ended(self, attempt: Attempt) -> None:
        self._own.call_ended(attempt)
        self._job.call_ended(attempt)

    def upload_begun(self) -> None:
        self._job.upload_begun()

    def upload_ended(self) -> None:
        self._job.upload_ended()

    def row_settled(self, record: Record) -> None:
        self._own.row_settled(record)
        self._job.row_settled(record)

    def found(self, totals: Totals) -> None:
        self._own.found(totals)

    def waiting(self, reason: str | None) -> None:
        self._job.waiting(reason)

    def changed(self) -> Totals | None:
        """The totals, unless they are as last reported."""
        return None if self.totals == self._said else self.totals

    def said(self, totals: Totals | None) -> None:
        """A heartbeat has reported *totals*."""
        if totals is not None:
            self._said = totals
