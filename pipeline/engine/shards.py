"""Settles and folds a shard, and takes a job's shards through one pool of slots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from pipeline.engine.call import LeaseLost
from pipeline.engine.deferred import Deferred
from pipeline.engine.jobrun import JobRun
from pipeline.engine.record import output_picture, record_of
from pipeline.engine.row import Row
from pipeline.engine.task_context import TaskContext, in_context
from pipeline.errors import JobError, StoreError
from pipeline.failpoints import OPENED_STEP, failpoint
from pipeline.job.shard import OpenShard, adopted, found
from pipeline.picture import BadPicture
from pipeline.ports import Lease
from pipeline.record import Outcome, OutputPicture, Record
from pipeline.status import Totals

log = logging.getLogger("retouch.engine")

#: Shards opened beyond those that fill the slots, because many of their rows may be waiting to be tried again.
_SHARDS_WAITING = 16


class Alone:
    """The lease of a shard that no other process can take: ``run`` holds its whole job."""

    def held(self) -> bool:
        """Always."""
        return True

    async def sure(self) -> bool:
        """Always."""
        return True

    @property
    def gone(self) -> bool:
        """Never."""
        return False


async def run_shards(job: JobRun, shards: AsyncIterator[int]) -> None:
    """Take the rows of *shards* through the job's slots, in order; return when all are settled, or the job stopped.

    A shard is opened once the last row of the one before it has begun: no slot is idle while there are rows, and the
    number of rows in memory depends on the slots, not on the size of the job.
    """
    room = asyncio.Semaphore(job.spec.max_in_flight // job.spec.shard_rows + _SHARDS_WAITING)

    async def one(shard: int, begun: asyncio.Event) -> None:
        try:
            await in_context(
                TaskContext(job.spec.job, shard), run_shard(job, shard, Alone(), begun, patient=True)
            )
        except StoreError as error:
            log.warning("shard_left job=%s shard=%s: %s", job.spec.job, shard, error)
        except JobError as error:
            job.halt(str(error))
        finally:
            begun.set()
            room.release()

    async with asyncio.TaskGroup() as group:
        async for shard in shards:
            if job.brake.stopped and not job.brake.cancelled:
                break
            await room.acquire()
            begun = asyncio.Event()
            group.create_task(one(shard, begun))
            await begun.wait()


async def run_shard(
    job: JobRun, shard: int, lease: Lease, begun: asyncio.Event | None = None, *, patient: bool = False
) -> Totals | None:
    """Settle the rows of one shard and fold it; its totals, or ``None`` if some of its rows are not settled.

    Args:
        job: what the rows share.
        shard: its number, from 1.
        lease: asked before each call and each put.
        begun: set when every row has begun, so that the slots can go to the next shard.
        patient: wait if the store cannot be read, because nobody else could take the shard.

    Raises:
        StoreError: the store cannot be read.
    """
    shards = job.folder.shards
    opened = await (job.keeper.put(lambda: shards.state(shard)) if patient else shards.state(shard))
    failpoint(OPENED_STEP)
    if isinstance(opened, Totals):
        job.progress.found(opened)
        return opened
    job.progress.found(found(opened))
    records, deferred = opened.settled(), Deferred(job, shard, lease)
    async with asyncio.TaskGroup() as group:
        for edit in opened.edits:
            if edit.row in records:
                continue
            row = Row(job, shard, edit, opened.history(edit.row), lease, deferred)
            if not await row.begin():
                break
            scope = TaskContext(job.spec.job, shard, edit.row, row.model)
            group.create_task(in_context(scope, _settle(opened, row, records)))
        if begun is not None:
            begun.set()
    if any(edit.row not in records for edit in opened.edits) or not await lease.sure():
        await deferred.put()
        return None
    return await job.keeper.put(lambda: shards.fold(shard, records.values()))


async def _settle(opened: OpenShard, row: Row, records: dict[int, Record]) -> None:
    """Settle one row; whatever goes wrong with it affects no other."""
    job, edit = row.job, row.edit
    try:
        record = await _adopted(opened, row) or await row.settle()
    except LeaseLost:
        log.info("lease_lost job=%s shard=%s row=%s", job.spec.job, opened.number, edit.row)
        return
    except StoreError as error:
        log.warning("row_left job=%s shard=%s row=%s: %s", job.spec.job, opened.number, edit.row, error)
        return
    except Exception as error:
        log.exception("row_broke job=%s shard=%s row=%s", job.spec.job, opened.number, edit.row)
        record = await _broken(row, error)
    finally:
        row.permit.release_slot()
    if record is not None:
        records[edit.row] = record


async def _broken(row: Row, error: Exception) -> Record | None:
    """A bug in retouch costs one row, never the job; the record says whose fault it was."""
    reason = (
        f"internal: {type(error).__name__} in retouch itself, not in this row; please report it with the log"
    )
    record = record_of(row.edit, row.history, Outcome.FAILED, reason, model=row.model)
    return record if await _put(row, record) else None


async def _adopted(opened: OpenShard, row: Row) -> Record | None:
    """The record of a row whose picture is stored but has no record yet: the picture is verified, not made again."""
    job, edit = row.job, row.edit
    intent = opened.intents.get(edit.row)
    path = await job.folder.find_picture(edit.name) if intent else None
    if intent is None or path is None:
        return None
    data = await job.folder.store.get(path) or b""
    reason: str | None = None
    try:
        verified = await job.verify(data)
    except BadPicture as bad:
        outcome, reason = Outcome.FAILED, f"bad_image: {path} already exists and is not a picture ({bad})"
        images: tuple[OutputPicture, ...] = ()
    else:
        outcome = Outcome.DONE
        images = (output_picture(path, verified, len(data)),)
    record = record_of(
        edit, adopted(intent, usable=bool(images)), outcome, reason, model=intent.model, images=images
    )
    # The picture may belong to a later call, made by whoever has taken over the shard since it was opened here.
    if not await _put(row, record):
        raise LeaseLost
    return record


async def _put(row: Row, record: Record) -> bool:
    """Settle *row* with *record*; false when another process has its shard, or has settled it."""
    job = row.job
    if not await row.lease.sure():
        return False
    if not await job.keeper.put(lambda: job.folder.shards.put_record(row.shard, record)):
        return False
    job.progress.row_settled(record)
    return True
