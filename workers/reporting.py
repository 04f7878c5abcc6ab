"""The report of a submitted job: updated while it runs, written with the results when it stops or ends."""

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

#: Seconds between two updates of report.json: a reader without Redis may be this far behind.
FRESH = 10.0

_STANDS_STILL = (State.HALTED, State.PAUSED)


async def finish(board: Board, folder: JobFolder, spec: Spec, lease: RedisLease) -> bool:
    """Write results and report, then announce it; whether the job has ended. Repeating it writes the same again.

    A halted or paused job takes this step too, for what is settled; if it has been resumed, nothing is written yet.

    Raises:
        BrokerError: Redis is out of reach, or has lost the job; once restored, the job comes to its last step again.
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
        # Not the figures of the last heartbeats, which are a second old.
        in_flight=0,
        uploading=0,
        images_per_minute=None,
        eta_seconds=None,
    )
    await write_results(folder, seen.shards, status, spec, lease.sure)


async def _write_so_far(
    board: Board, folder: JobFolder, spec: Spec, seen: BoardView, lease: RedisLease
) -> None:
    # Workers that died may not have reported everything; the records are complete.
    totals = await exact_totals(folder, seen.shards)
    status = counted(msgspec.structs.replace(seen.status, in_flight=0, uploading=0), totals)
    if not await write_results(folder, seen.shards, status, spec, lease.sure):
        return
    log.info("results_written job=%s state=%s", spec.job, status.state)
    after = await read_status(board.redis, spec.job)
    if after is not None and after.state is not status.state:
        await report(board, folder, spec.job)


async def freshen(board: Board, folder: JobFolder, job: str) -> bool:
    """Update report.json, unless another worker has just done so; whether it was our turn.

    For a halted or paused job it is written together with the results.

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
    """Write the current status to report.json, for readers without Redis; only :func:`finish` writes an end.

    Raises:
        StoreError: it could not be written.
    """
    status = await read_status(board.redis, job)
    if status is None or status.state in ENDED:
        return
    await write_status(folder, status)
    # The end may have been written while we wrote: the file must finish with that.
    after = await read_status(board.redis, job)
    if after is not None and after.state in ENDED:
        await write_status(folder, after)
