"""A shard whose lease this process holds."""

from __future__ import annotations

import asyncio
import dataclasses

from workers.shared.board_types import ShardReport
from workers.shared.lease import RedisLease
from workers.shared.progress import ShardProgress


@dataclasses.dataclass(eq=False)
class HeldShard:
    """A shard that is ours for as long as its lease is renewed.

    Attributes:
        begun: set when its last row has been started.
        progress: counts its rows and calls; ``None`` before the first, and for the last step of a job.
    """

    job: str
    shard: int
    lease: RedisLease
    begun: asyncio.Event
    progress: ShardProgress | None = None

    def report(self) -> ShardReport:
        """What the heartbeat reports of it."""
        totals = self.progress.changed() if self.progress else None
        return ShardReport(self.job, self.shard, self.lease.token, totals)

    def answered(self, report: ShardReport, sent: float, *, ours: bool | None) -> None:
        """Take in the board's answer to *report*.

        Args:
            report: what was sent.
            sent: when, by the monotonic clock.
            ours: whether the lease is renewed; ``None``: the board does not know the job.
        """
        if ours is None:
            return
        if not ours:
            self.lease.lost()
            return
        self.lease.renewed(sent)
        if self.progress:
            self.progress.said(report.totals)
