"""Records that are written only when their shard is folded: a million invalid rows need no million puts.

Settling a row that needs no call costs nothing and always has the same result. So as long as a shard has only such
rows, their records need not be on disk before the folded file, which follows immediately and contains them.
"""

from __future__ import annotations

import asyncio

from pipeline.engine.jobrun import JobRun
from pipeline.ports import Lease
from pipeline.record import Record


class Deferred:
    """The records of one shard that have not been put yet."""

    def __init__(self, job: JobRun, shard: int, lease: Lease) -> None:
        self._job = job
        self._shard = shard
        self._lease = lease
        self._waiting: list[Record] = []
        self._over = False

    async def settle(self, record: Record) -> bool:
        """Settle a row, now or with the fold; false if it is settled already.

        Raises:
            StoreError: the store failed and the job was stopped.
        """
        if not self._over and costs_nothing(record):
            self._waiting.append(record)
            return True
        return await self._put(record)

    async def put(self) -> None:
        """Put the waiting records, and from now on each record immediately: the fold may be a long way off.

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
    """Whether it costs nothing to settle the row again: it has no calls, attempts or pictures."""
    return not (record.calls or record.attempts or record.images)
