"""Records that wait for the fold of their shard, which holds them too: a million rows at fault need no million puts.

A row that was settled without a call costs nothing to settle again, and comes to the same end. So as long as no row
of its shard is to be called for, its record need not be on the disk before the fold, which then comes right after.
"""

from __future__ import annotations

import asyncio

from pipeline.engine.jobrun import JobRun
from pipeline.ports import Lease
from pipeline.record import Record


class Deferred:
    """The records of one shard that are not put yet."""

    def __init__(self, job: JobRun, shard: int, lease: Lease) -> None:
        self._job = job
        self._shard = shard
        self._lease = lease
        self._waiting: list[Record] = []
        self._over = False

    async def settle(self, record: Record) -> bool:
        """Settle a row, now or with the fold; false when it is settled already.

        Raises:
            StoreError: the store failed and the job was stopped.
        """
        if not self._over and costs_nothing(record):
            self._waiting.append(record)
            return True
        return await self._put(record)

    async def put(self) -> None:
        """Put what waits, and from now on each record at once: the shard is not about to be folded.

        Raises:
            StoreError: the store failed and the job was stopped.
        """
        self._over = True
        if not self._waiting or not await self._lease.sure():
            return
        waiting, self._waiting = self._waiting, []
        came = await asyncio.gather(*map(self._put, waiting), return_exceptions=True)
        failed = next((error for error in came if isinstance(error, BaseException)), None)
        if failed is not None:
            self._waiting += waiting
            raise failed

    async def _put(self, record: Record) -> bool:
        return await self._job.keeper.put(lambda: self._job.folder.shards.put_record(self._shard, record))


def costs_nothing(record: Record) -> bool:
    """Whether nobody has paid for *record*, or may have, and there is nothing but itself that tells of it."""
    return not (record.calls or record.attempts or record.images)
