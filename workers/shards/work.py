"""The work on a claimed shard: settling its rows or, as a job's last step, writing its results."""

from __future__ import annotations

import contextlib
import logging
from functools import partial

import msgspec

from pipeline.engine.shards import run_shard
from pipeline.errors import BrokerError, JobError, RetouchError
from pipeline.status import State, Totals
from workers.reporting import finish
from workers.shards.held import HeldShard
from workers.shards.jobs import Jobs
from workers.shards.quarantine import GUILTY, SET_ASIDE
from workers.shards.worker_job import WorkerJob
from workers.shared.board import Board
from workers.shared.board_types import ShardClaim
from workers.shared.keys import FINISH
from workers.shared.progress import ShardProgress

log = logging.getLogger("retouch.worker")

#: Seconds before a shard is taken again: as a rule; by a worker that cannot see the job's pictures; after the store
#: failed; after a bug.
SOON, _UNSEEN, _STORE, _FAULT = 1.0, 30.0, 10.0, 30.0


class HandBack(msgspec.Struct, frozen=True):
    """A shard is given back before all of its rows are settled.

    Attributes:
        delay: seconds before it is taken again.
        reason: what the job waits for.
        unseen: this machine cannot see the job's pictures, and takes no shard of the job during the delay.
    """

    delay: float = SOON
    reason: str | None = None
    unseen: bool = False


async def work_on(held: HeldShard, claim: ShardClaim, jobs: Jobs, board: Board) -> Totals | HandBack | None:
    """The result of the shard; ``None``: it was the job's last step, and is done.

    Raises:
        BrokerError: Redis is out of reach.
    """
    try:
        worker_job = await jobs.join(held.job, claim)
        held.lease.brake = worker_job.brake
        try:
            if held.shard != FINISH:
                return await _settle_rows(held, claim, worker_job, board)
            await _write_results(held, worker_job, jobs, board)
            return None
        finally:
            jobs.leave(held.job, worker_job)
    except BrokerError:
        raise
    except JobError as error:
        log.warning("shard_damaged job=%s shard=%s: %s", held.job, held.shard, error)
        await board.stop(held.job, State.HALTED, str(error))
        # A halted job needs its last step, too.
        return HandBack(_FAULT if held.shard == FINISH else 0.0)
    except RetouchError as error:
        log.warning("shard_waits job=%s shard=%s: %s", held.job, held.shard, error)
        return HandBack(_STORE, str(error))
    except Exception:
        log.exception("shard_broke job=%s shard=%s", held.job, held.shard)
        return HandBack(_FAULT, "a bug in retouch, see the worker's log; the shard is tried again")


async def _write_results(held: HeldShard, worker_job: WorkerJob, jobs: Jobs, board: Board) -> None:
    await worker_job.folder.rounds.refresh()
    if await finish(board, worker_job.folder, worker_job.spec, held.lease):
        jobs.ended(held.job)
        log.info("job_ended job=%s", held.job)


async def _settle_rows(
    held: HeldShard, claim: ShardClaim, worker_job: WorkerJob, board: Board
) -> Totals | HandBack:
    held.progress = ShardProgress(worker_job.figures)
    run = worker_job.run(held.progress, orphaned=claim.orphaned, begin=partial(_say_begun, held, board))
    if claim.deaths >= GUILTY:
        log.error("shard_set_aside job=%s shard=%s deaths=%s", held.job, held.shard, claim.deaths)
        run.set_aside = SET_ASIDE.format(deaths=claim.deaths)
    try:
        # `retouch retry` may have opened a new round of this shard.
        await worker_job.folder.rounds.refresh()
        totals = await run_shard(run, held.shard, held.lease, held.begun)
    finally:
        worker_job.leave(run)
    return totals or await _hand_back(worker_job)


async def _say_begun(held: HeldShard, board: Board) -> None:
    # Only evidence for the quarantine; while Redis is away no calls are made anyway.
    with contextlib.suppress(BrokerError):
        await board.begin(held.job, held.shard, held.lease.token)


async def _hand_back(worker_job: WorkerJob) -> HandBack:
    """How a shard is given back whose rows are not all settled."""
    state, reason = worker_job.brake.state, worker_job.brake.reason
    if state is State.WAITING:
        return HandBack(_UNSEEN, reason, unseen=True)
    await worker_job.control.announce_stop()
    return HandBack(0.0 if state in (State.QUEUED, State.HALTED, State.PAUSED) else SOON)
