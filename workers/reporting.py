"""The report of a submitted job: kept fresh while it runs, written with the results at its end."""

from __future__ import annotations

import msgspec

from pipeline.errors import BrokerError
from pipeline.job.folder import JobFolder
from pipeline.job.results import write_results, write_status
from pipeline.job.spec import Spec
from pipeline.status import ENDED, State
from pipeline.timestamp import utc
from workers.shared.board import Board
from workers.shared.lease import RedisLease
from workers.shared.status import look, read_status

#: Seconds between two writings of report.json: so much may a reader without Redis be behind.
FRESH = 10.0


async def finish(board: Board, folder: JobFolder, spec: Spec, lease: RedisLease) -> None:
    """Write results and report, then say that the job is ended. Whoever repeats it writes the same.

    Raises:
        BrokerError: Redis has lost the job; it is built again, and comes to its last step again.
        StoreError: something could not be written.
    """
    seen = await look(board.redis, spec.job)
    if seen is None:
        raise BrokerError(f"Redis does not know job {spec.job} any more")
    state = State.CANCELLED if seen.wanted.state is State.CANCELLED else State.FINISHED
    status = msgspec.structs.replace(
        seen.status,
        state=state,
        state_reason=None,
        finished_at=utc(seen.now / 1000),
        # The figures of the last heartbeats, which are a second old.
        in_flight=0,
        eta_seconds=None,
    )
    await write_results(folder, seen.shards, status, spec)
    if await lease.sure():
        await board.finish(spec.job, lease.token, state, seen.now)


async def freshen(board: Board, folder: JobFolder, job: str) -> bool:
    """Write report.json, if no other worker has just done so; whether it was written.

    Raises:
        StoreError: it could not be written.
    """
    if not await board.reporter(job, FRESH):
        return False
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
