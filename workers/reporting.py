"""The report of a submitted job: kept fresh while it runs, written with the results when it stands still or ends."""

from __future__ import annotations

import logging

import msgspec

from pipeline.errors import BrokerError
from pipeline.job.folder import JobFolder
from pipeline.job.results import write_results, write_status
from pipeline.job.spec import Spec
from pipeline.job.totals import exact_totals
from pipeline.status import ENDED, State, counted
from pipeline.timestamp import utc
from workers.shared.board import Board
from workers.shared.lease import RedisLease
from workers.shared.status import BoardView, read_board_view, read_status

log = logging.getLogger("retouch.worker")

#: Seconds between two writings of report.json: so much may a reader without Redis be behind.
FRESH = 10.0

_STANDS_STILL = (State.HALTED, State.PAUSED)


async def finish(board: Board, folder: JobFolder, spec: Spec, lease: RedisLease) -> bool:
    """Write results and report, then say so; whether the job is ended. Whoever repeats it writes the same.

    A job that stands still takes this step too, for what is settled; one that goes on again needs nothing yet.

    Raises:
        BrokerError: Redis has lost the job; it is built again, and comes to its last step again.
        StoreError: something could not be written.
    """
    seen = await read_board_view(board.redis, spec.job)
    if seen is None:
        raise BrokerError(f"Redis does not know job {spec.job} any more")
    state = State.CANCELLED if seen.wanted.state is State.CANCELLED else State.FINISHED
    if seen.folded == seen.shards:
        await _write_all(folder, spec, seen, state, lease)
    elif seen.status.state in _STANDS_STILL:
        await _write_so_far(board, folder, spec, seen, lease)
    return await lease.sure() and await board.finish(spec.job, lease.token, state, seen.now)


async def _write_all(folder: JobFolder, spec: Spec, seen: BoardView, state: State, lease: RedisLease) -> None:
    status = msgspec.structs.replace(
        seen.status,
        state=state,
        state_reason=None,
        finished_at=utc(seen.now / 1000),
        # The figures of the last heartbeats, which are a second old.
        in_flight=0,
        eta_seconds=None,
    )
    await write_results(folder, seen.shards, status, spec, lease.sure)


async def _write_so_far(
    board: Board, folder: JobFolder, spec: Spec, seen: BoardView, lease: RedisLease
) -> None:
    # The heartbeats of those who have died may not have said all: the records have.
    totals = await exact_totals(folder, seen.shards)
    status = counted(msgspec.structs.replace(seen.status, in_flight=0), totals)
    if not await write_results(folder, seen.shards, status, spec, lease.sure):
        return
    log.info("results_written job=%s state=%s", spec.job, status.state)
    after = await read_status(board.redis, spec.job)
    if after is not None and after.state is not status.state:
        await report(board, folder, spec.job)


async def freshen(board: Board, folder: JobFolder, job: str) -> bool:
    """Keep report.json fresh, if no other worker has just done so; whether that was ours to do.

    That of a job that stands still is written with its results.

    Raises:
        StoreError: it could not be written.
    """
    if not await board.reporter(job, FRESH):
        return False
    status = await read_status(board.redis, job)
    if status is not None and status.state not in _STANDS_STILL:
        await report(board, folder, job)
    return True


async def report(board: Board, folder: JobFolder, job: str) -> None:
    """Write how the job stands now, for readers without Redis; an end is written by :func:`finish` alone.

    Raises:
        StoreError: it could not be written.
    """
    status = await read_status(board.redis, job)
    if status is None or status.state in ENDED:
        return
    await write_status(folder, status)
    # The end may have been written while we wrote: what is last in the file must be the end.
    after = await read_status(board.redis, job)
    if after is not None and after.state in ENDED:
        await write_status(folder, after)
