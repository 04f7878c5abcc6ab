"""A worker process at work: takes shards, settles their rows, hands them over."""

from __future__ import annotations

import asyncio
import logging
import time

import msgspec

from pipeline.edit import State, Totals
from pipeline.engine import run_shard
from pipeline.errors import BrokerError, JobError, RetouchError
from workers.board import Claim
from workers.finishing import finish
from workers.jobhere import Holding, JobHere
from workers.keys import FINISH
from workers.lease import RedisLease
from workers.progress import ShardProgress
from workers.tools import Tools

log = logging.getLogger("retouch.worker")

STOPPING = "this worker is stopping; another goes on"

#: Seconds before a shard is taken again: that could not be settled here; by a worker that cannot see the pictures;
#: of a job that is just being stopped; while the store fails; after a fault of ours.
_SOON, _UNSEEN, _STORE, _FAULT = 1.0, 30.0, 10.0, 30.0


class Back(msgspec.Struct, frozen=True):
    """A shard goes back, to be taken after *delay*; *reason*: the job waits for it."""

    delay: float = _SOON
    reason: str | None = None


class Station:
    """All jobs and shards of this process. Everything here runs on its one event loop.

    Attributes:
        jobs: the jobs with shards here.
        holdings: the shards whose leases are renewed.
        more: set when a thread has become free, so that the next messages are published soon.
    """

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.jobs: dict[str, JobHere] = {}
        self.holdings: set[Holding] = set()
        self.more = asyncio.Event()
        self.stopping = False
        self._unseen_until: dict[str, float] = {}

    def stop(self) -> None:
        """Begin no call any more: those in flight finish, the rest of their shards goes back."""
        self.stopping = True
        for here in self.jobs.values():
            here.brake.stop(State.QUEUED, STOPPING)

    async def settle(self, job: str, shard: int) -> None:
        """Settle *shard* as far as it can be settled here, if it is to be had."""
        try:
            await self._settle(job, shard)
        except BrokerError as error:
            # The lease runs out or was never had: the sweep publishes the shard again.
            log.warning("shard_left job=%s shard=%s: %s", job, shard, error)
        finally:
            self.more.set()

    async def _settle(self, job: str, shard: int) -> None:
        board, lease = self.tools.board, self.tools.settings.lease
        if self.stopping or self._unseen_until.get(job, 0.0) > time.monotonic():
            await board.decline(job, shard, 0.0 if self.stopping else _SOON)
            return
        if job in self.jobs:
            # Before the claim: a job that was just stopped here gives no more shards.
            await self.announce(self.jobs[job])
        sent = time.monotonic()
        claim = await board.claim(job, shard, lease)
        if claim is None:
            return
        holding = Holding(job, shard, RedisLease(claim.token, lease, sent))
        self.holdings.add(holding)
        try:
            came_to = await self._work(holding, claim)
            await self._hand_over(holding, came_to)
        finally:
            self.holdings.discard(holding)

    async def announce(self, here: JobHere) -> None:
        """Tell all workers, once, when a row here has stopped the job.

        Raises:
            BrokerError: Redis is out of reach; to be repeated.
        """
        ordered = here.ordered()
        if ordered:
            await self.tools.board.stop(here.spec.job, *ordered)
            here.announced = True

    async def _hand_over(self, holding: Holding, came_to: Totals | Back | None) -> None:
        board = self.tools.board
        if isinstance(came_to, Back):
            await board.release(holding.held(), came_to.delay, came_to.reason)
        elif came_to is not None:
            last = await board.fold(holding.job, holding.shard, holding.lease.token, came_to)
            log.info("shard_folded job=%s shard=%s last=%s", holding.job, holding.shard, last)
            if last:
                await self._settle(holding.job, FINISH)

    async def _work(self, holding: Holding, claim: Claim) -> Totals | Back | None:
        """What the shard came to; ``None``: it was the last step, and is done."""
        try:
            here = await self._join(holding.job, claim.out)
            try:
                if holding.shard != FINISH:
                    return await self._rows(holding, here)
                await here.folder.look_for_rounds()
                await finish(self.tools.board, here.folder, here.spec, holding.lease)
                log.info("job_ended job=%s", holding.job)
                return None
            finally:
                self._part(holding.job, here)
        except BrokerError:
            raise
        except JobError as error:
            await self.tools.board.stop(holding.job, State.HALTED, str(error))
            return Back(0.0)
        except RetouchError as error:
            log.warning("shard_waits job=%s shard=%s: %s", holding.job, holding.shard, error)
            return Back(_STORE, str(error))
        except Exception:
            log.exception("shard_broke job=%s shard=%s", holding.job, holding.shard)
            return Back(_FAULT, "a fault in retouch itself, see the worker's log; the shard is tried again")

    async def _rows(self, holding: Holding, here: JobHere) -> Totals | Back:
        holding.progress = ShardProgress(here.figures)
        run = here.run(holding.progress)
        try:
            # A round that was opened meanwhile may be this shard's.
            await here.folder.look_for_rounds()
            totals = await run_shard(run, holding.shard, holding.lease)
        finally:
            here.leave(run)
        return totals or await self._back(holding, here)

    async def _back(self, holding: Holding, here: JobHere) -> Back:
        """How a shard goes back whose rows are not all settled."""
        state, reason = here.brake.state, here.brake.reason
        if state is State.WAITING:
            self._unseen_until[holding.job] = time.monotonic() + _UNSEEN
            return Back(_UNSEEN, reason)
        await self.announce(here)
        return Back(0.0 if state in (State.QUEUED, State.HALTED, State.PAUSED) else _SOON)

    async def _join(self, job: str, out: str) -> JobHere:
        here = self._usable(job)
        if here is None:
            opened = await JobHere.open(self.tools, out)
            # Another shard may have been quicker.
            here = self.jobs[job] = self._usable(job) or opened
        here.shards += 1
        if self.stopping:
            here.brake.stop(State.QUEUED, STOPPING)
        return here

    def _usable(self, job: str) -> JobHere | None:
        """The job here, unless it was stopped: one that goes on again gets a new brake, and the old one runs out."""
        here = self.jobs.get(job)
        return None if here is None or (here.brake.stopped and not here.brake.cancelled) else here

    def _part(self, job: str, here: JobHere) -> None:
        here.shards -= 1
        if not here.shards and self.jobs.get(job) is here:
            del self.jobs[job]
