"""A worker process at work: takes shards, settles their rows, hands them over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import msgspec

from pipeline.engine.scope import Scope, in_scope
from pipeline.engine.shards import run_shard
from pipeline.errors import BrokerError, JobError, RetouchError, StoreError
from pipeline.status import State, Totals
from workers.reporting import finish, report
from workers.shards.job import Holding, WorkerJob
from workers.shards.mark import Marks
from workers.shards.quarantine import GUILTY, SET_ASIDE, SUSPECT, Quarantine, weighed
from workers.shared.board_types import Claim, HeldShard
from workers.shared.keys import FINISH
from workers.shared.lease import RedisLease
from workers.shared.patience import persistently
from workers.shared.progress import ShardProgress
from workers.tools import Tools

log = logging.getLogger("retouch.worker")

STOPPING = "this worker is stopping; another goes on"

#: Seconds before a shard is taken again: that could not be settled here; by a worker that cannot see the pictures;
#: of a job that is just being stopped; while the store fails; after a fault of ours.
_SOON, _UNSEEN, _STORE, _FAULT = 1.0, 30.0, 10.0, 30.0
#: Seconds for which it is tried to hand over what a shard has come to.
_HAND_OVER = 60.0


#: Shards beyond the threads: all their rows have begun, and some of them are slow. A worker that has so many takes as
#: many again when dead workers have left them: their rows wait here as well, and what was in flight is seen to.
_SHARDS_WAITING = 16


class Back(msgspec.Struct, frozen=True):
    """A shard goes back, to be taken after *delay*; *reason*: the job waits for it."""

    delay: float = _SOON
    reason: str | None = None


class Station:
    """All jobs and shards of this process. Everything here runs on its one event loop.

    Attributes:
        jobs: the jobs with shards here.
        marks: by which the workers of two Redis know each other.
        holdings: the shards whose leases are renewed.
        more: set when a thread has become free, so that the next messages are published soon.
        lost: set when Redis is seen to have lost what it knew; at the start nobody can tell.
        known: the folder of each job that this process has worked on and that may not have ended.
        told: set when this process is to end.
        idle: set while no shard is here.
        busy: threads that wait for a shard.
        received: when the last message came, by the monotonic clock.
        heard: when Redis last answered a heartbeat, by the monotonic clock.
    """

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.jobs: dict[str, WorkerJob] = {}
        self.marks = Marks(tools.board)
        self.holdings: set[Holding] = set()
        self.more = asyncio.Event()
        self.lost = asyncio.Event()
        self.known: dict[str, str] = {}
        self.told = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.busy = 0
        self.received = 0.0
        self.heard = time.monotonic()
        self._unseen_until: dict[str, float] = {}
        self._quarantine = Quarantine()
        self._settling: set[asyncio.Task[None]] = set()
        self._most = tools.settings.threads + _SHARDS_WAITING
        self._room = asyncio.Semaphore(self._most)

    @property
    def stopping(self) -> bool:
        """Whether this process is to end."""
        return self.told.is_set()

    @property
    def room(self) -> int:
        """How many shards that dead workers have left can be taken beside those that are here."""
        if self.stopping or not self._quarantine.open:
            return 0
        return max(0, 2 * self._most - len(self._settling))

    def take(self, job: str, shard: int) -> None:
        """Settle *shard*, which a dead worker has left."""
        self._begin(job, shard, self._to_its_end(job, shard, asyncio.Event()))

    def stop(self) -> None:
        """Begin no call any more: those in flight finish, the rest of their shards goes back."""
        self.told.set()
        for here in self.jobs.values():
            here.brake.stop(State.QUEUED, STOPPING)

    async def settle(self, job: str, shard: int) -> None:
        """Settle *shard* as far as it can be settled here, if it is to be had; return when its last row has begun.

        The thread that asked is free then for the next shard: one slow row would keep it, and slots would idle.
        """
        self.received = time.monotonic()
        self.busy += 1
        begun = asyncio.Event()
        settling = self._begin(job, shard, self._in_its_turn(job, shard, begun))
        waiting = asyncio.create_task(begun.wait())
        try:
            await asyncio.wait((settling, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            self.busy -= 1
            self.more.set()

    def _begin(self, job: str, shard: int, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        settling = asyncio.create_task(in_scope(Scope(job, shard), work))
        self._settling.add(settling)
        settling.add_done_callback(self._settling.discard)
        return settling

    async def _in_its_turn(self, job: str, shard: int, begun: asyncio.Event) -> None:
        async with self._room:
            await self._to_its_end(job, shard, begun)

    async def _to_its_end(self, job: str, shard: int, begun: asyncio.Event) -> None:
        try:
            await self._settle(job, shard, begun)
        except BrokerError as error:
            # The lease runs out or was never had: the sweep publishes the shard again.
            log.warning("shard_left job=%s shard=%s: %s", job, shard, error)
        self.more.set()

    def forget(self, job: str) -> None:
        """*job* is not on the board, and is not to be: nothing is put for it any more."""
        self.known.pop(job, None)
        for holding in self.holdings:
            if holding.job == job:
                holding.lease.lost()

    async def abandon(self) -> None:
        """Give every shard back as it is: whoever takes it counts the calls that are in flight here as unknown.

        Raises:
            BrokerError: Redis is out of reach; the leases run out by themselves.
        """
        for holding in self.holdings:
            # First of all: nothing is put any more for what another may have.
            holding.lease.lost()
        for holding in list(self.holdings):
            await self.tools.board.release(holding.held())
        await self.tools.board.leave()

    async def _settle(self, job: str, shard: int, begun: asyncio.Event) -> None:
        board = self.tools.board
        if not self._takes(job, shard):
            await board.decline(job, shard, 0.0 if self.stopping else _SOON)
            return
        if job in self.jobs:
            # Before the claim: a job that was just stopped here gives no more shards.
            await self.announce(self.jobs[job])
        sent = time.monotonic()
        claim = await board.claim(job, shard, self.tools.settings.lease)
        if claim is None:
            return
        claim = await weighed(board, job, shard, claim)
        if not self._fits(claim.deaths, (job, shard)):
            await board.release(HeldShard(job, shard, claim.token), _SOON)
            return
        lease = RedisLease(claim.token, self.tools.settings.lease, sent)
        await self._hold(Holding(job, shard, lease, begun), claim)

    def _takes(self, job: str, shard: int) -> bool:
        seen = self._unseen_until.get(job, 0.0) <= time.monotonic()
        return seen and not self.stopping and self._quarantine.lets((job, shard))

    def _fits(self, deaths: int, shard: tuple[str, int]) -> bool:
        """Whether a shard that was claimed may be begun beside what is here."""
        if not self._quarantine.lets(shard):
            return False
        if deaths != SUSPECT:
            return True
        if self.holdings:
            self._quarantine.make_room(shard)
            return False
        log.warning("shard_alone job=%s shard=%s: two workers have died with it", *shard)
        self._quarantine.begin(shard)
        return True

    async def _hold(self, holding: Holding, claim: Claim) -> None:
        self.holdings.add(holding)
        self.idle.clear()
        try:
            came_to = await self._work(holding, claim)
            # While Redis is away the lease is kept, as far as it is ours, rather than left to run out.
            await persistently(lambda: self._hand_over(holding, came_to), self._patience())
        finally:
            self.holdings.discard(holding)
            self._quarantine.end((holding.job, holding.shard))
            if not self.holdings:
                self.idle.set()

    def _patience(self) -> float:
        return 0.0 if self.stopping else _HAND_OVER

    async def announce(self, here: WorkerJob) -> None:
        """Tell all workers, once, when a row here has stopped the job.

        Raises:
            BrokerError: Redis is out of reach; to be repeated.
        """
        ordered = here.ordered()
        if ordered:
            await self.tools.board.stop(here.spec.job, *ordered)
            here.announced = True
            with contextlib.suppress(StoreError):
                # Whoever builds the board again must find that a person is needed; else it is written by the clock.
                await report(self.tools.board, here.folder, here.spec.job)

    async def _hand_over(self, holding: Holding, came_to: Totals | Back | None) -> None:
        board = self.tools.board
        if isinstance(came_to, Back):
            await board.release(holding.held(), came_to.delay, came_to.reason)
        elif came_to is not None:
            last = await board.fold(holding.job, holding.shard, holding.lease.token, came_to)
            log.info("shard_folded job=%s shard=%s last=%s", holding.job, holding.shard, last)
            if last:
                await self._settle(holding.job, FINISH, asyncio.Event())

    async def _work(self, holding: Holding, claim: Claim) -> Totals | Back | None:
        """What the shard came to; ``None``: it was the last step, and is done."""
        try:
            here = await self._join(holding.job, claim)
            holding.lease.brake = here.brake
            try:
                if holding.shard != FINISH:
                    return await self._rows(holding, here, claim)
                await here.folder.shards.look_for_rounds()
                if await finish(self.tools.board, here.folder, here.spec, holding.lease):
                    self.known.pop(holding.job, None)
                    log.info("job_ended job=%s", holding.job)
                return None
            finally:
                self._part(holding.job, here)
        except BrokerError:
            raise
        except JobError as error:
            log.warning("shard_damaged job=%s shard=%s: %s", holding.job, holding.shard, error)
            await self.tools.board.stop(holding.job, State.HALTED, str(error))
            # The last step is owed to a halted job too.
            return Back(_FAULT if holding.shard == FINISH else 0.0)
        except RetouchError as error:
            log.warning("shard_waits job=%s shard=%s: %s", holding.job, holding.shard, error)
            return Back(_STORE, str(error))
        except Exception:
            log.exception("shard_broke job=%s shard=%s", holding.job, holding.shard)
            return Back(_FAULT, "a fault in retouch itself, see the worker's log; the shard is tried again")

    async def _calls_begin(self, holding: Holding) -> None:
        # Evidence alone: while Redis is away nobody calls in any case.
        with contextlib.suppress(BrokerError):
            await self.tools.board.begin(holding.job, holding.shard, holding.lease.token)

    async def _rows(self, holding: Holding, here: WorkerJob, claim: Claim) -> Totals | Back:
        holding.progress = ShardProgress(here.figures)
        run = here.run(holding.progress, left=claim.left, begin=partial(self._calls_begin, holding))
        if claim.deaths >= GUILTY:
            log.error("shard_set_aside job=%s shard=%s deaths=%s", holding.job, holding.shard, claim.deaths)
            run.set_aside = SET_ASIDE.format(deaths=claim.deaths)
        try:
            # A round that was opened meanwhile may be this shard's.
            await here.folder.shards.look_for_rounds()
            totals = await run_shard(run, holding.shard, holding.lease, holding.begun)
        finally:
            here.leave(run)
        return totals or await self._back(holding, here)

    async def _back(self, holding: Holding, here: WorkerJob) -> Back:
        """How a shard goes back whose rows are not all settled."""
        state, reason = here.brake.state, here.brake.reason
        if state is State.WAITING:
            self._unseen_until[holding.job] = time.monotonic() + _UNSEEN
            return Back(_UNSEEN, reason)
        await self.announce(here)
        return Back(0.0 if state in (State.QUEUED, State.HALTED, State.PAUSED) else _SOON)

    async def _join(self, job: str, claim: Claim) -> WorkerJob:
        self.known[job] = claim.out
        here = self._usable(job, claim)
        if here is None:
            opened = await WorkerJob.open(self.tools, claim.out)
            await self.marks.demand(opened.folder)
            if opened.wanted.state is not claim.want:
                # What was wanted while Redis was away stands in control.json alone.
                await opened.correct()
            # Another shard may have been quicker.
            here = self.jobs[job] = self._usable(job, claim) or opened
        self.tools.purses[job].counted_from(claim.born)
        here.shards += 1
        if self.stopping:
            here.brake.stop(State.QUEUED, STOPPING)
        return here

    def _usable(self, job: str, claim: Claim) -> WorkerJob | None:
        """The job here, unless it was stopped: one that goes on again gets a new brake, and the old one runs out."""
        here = self.jobs.get(job)
        if here is None or not here.brake.stopped:
            return here
        return here if here.brake.cancelled and claim.want is State.CANCELLED else None

    def _part(self, job: str, here: WorkerJob) -> None:
        here.shards -= 1
        if not here.shards and self.jobs.get(job) is here:
            del self.jobs[job]
