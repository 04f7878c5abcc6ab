"""The shards of a worker process: claimed, worked on, handed over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from typing import Any

from pipeline.engine.task_context import TaskContext, in_context
from pipeline.errors import BrokerError
from pipeline.status import Totals
from workers.shards.held import HeldShard
from workers.shards.jobs import Jobs
from workers.shards.quarantine import SUSPECT, Quarantine, weighed
from workers.shards.work import SOON, HandBack, work_on
from workers.shared.board_types import ShardClaim, ShardReport
from workers.shared.keys import FINISH
from workers.shared.lease import RedisLease
from workers.shared.retry import retry_for
from workers.tools import Tools

log = logging.getLogger("retouch.worker")

#: Seconds of attempts to hand over the result of a shard.
_HAND_OVER = 60.0

#: Shards in progress beyond the threads: all their rows have been started, but some are slow. As many shards again
#: may be orphans of dead workers: their rows can wait here, too, and their interrupted calls are settled soon.
_SHARDS_WAITING = 16


class ShardRunner:
    """All shards of this process. Everything here runs on its one event loop.

    Attributes:
        jobs: the jobs with shards here.
        held: the shards whose leases are renewed.
        sweep_soon: set when a thread has become free, so that the next messages are published soon.
        redis_lost_jobs: set when Redis seems to have lost its data.
        stop_requested: set when this process is to end.
        idle: set while no shard is held.
        busy_threads: threads that wait for a shard.
        last_message: when the last message came, by the monotonic clock.
        last_heartbeat: when Redis last answered a heartbeat, by the monotonic clock.
    """

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.jobs = Jobs(tools)
        self.held: set[HeldShard] = set()
        self.sweep_soon = asyncio.Event()
        self.redis_lost_jobs = asyncio.Event()
        self.stop_requested = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.busy_threads = 0
        self.last_message = 0.0
        self.last_heartbeat = time.monotonic()
        self._unseen_until: dict[str, float] = {}
        self._quarantine = Quarantine()
        self._tasks: set[asyncio.Task[None]] = set()
        self._most = tools.settings.threads + _SHARDS_WAITING
        self._room = asyncio.Semaphore(self._most)
        self._in_progress = 0

    @property
    def stopping(self) -> bool:
        """Whether this process is to end."""
        return self.stop_requested.is_set()

    @property
    def room_for_orphans(self) -> int:
        """How many orphaned shards can be taken now."""
        if self.stopping or not self._quarantine.open:
            return 0
        return max(0, 2 * self._most - self._in_progress)

    def stop(self) -> None:
        """Start no more calls: those in flight finish, and the rest of their shards is given back."""
        self.stop_requested.set()
        self.jobs.stop()

    async def settle(self, job: str, shard: int) -> None:
        """Settle *shard*, as far as possible here, if it can be claimed; return when its last row has been started.

        The calling thread is then free for the next shard; otherwise a slow row would keep it, and slots would idle.
        """
        self.last_message = time.monotonic()
        self.busy_threads += 1
        begun = asyncio.Event()
        settling = self._start(job, shard, self._in_its_turn(job, shard, begun))
        waiting = asyncio.create_task(begun.wait())
        try:
            await asyncio.wait((settling, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            self.busy_threads -= 1
            self.sweep_soon.set()

    def take_orphan(self, job: str, shard: int) -> None:
        """Settle *shard*, which a dead worker has left."""
        self._start(job, shard, self._to_its_end(job, shard, asyncio.Event()))

    def forget(self, job: str) -> None:
        """Give *job* up, which is not on the board and is not to be: nothing more is stored for it."""
        self.jobs.ended(job)
        for held in self.held:
            if held.job == job:
                held.lease.lost()

    async def abandon(self) -> None:
        """Give every shard back as it is; the next worker counts the calls in flight here as unknown.

        Raises:
            BrokerError: Redis is out of reach; the leases will expire.
        """
        for held in self.held:
            # First, so that nothing more is stored for a shard that another worker may have.
            held.lease.lost()
        for held in list(self.held):
            await self.tools.board.release(held.report())
        await self.tools.board.leave()

    def _start(self, job: str, shard: int, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(in_context(TaskContext(job, shard), work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _in_its_turn(self, job: str, shard: int, begun: asyncio.Event) -> None:
        # Orphans have room of their own: if all rows here wait, no shard would make room for them.
        if self._room.locked() and self.room_for_orphans and await self._is_orphan(job, shard):
            await self._to_its_end(job, shard, begun)
            return
        async with self._room:
            await self._to_its_end(job, shard, begun)

    async def _is_orphan(self, job: str, shard: int) -> bool:
        with contextlib.suppress(BrokerError):
            return await self.tools.board.is_orphan(job, shard)
        return False

    async def _to_its_end(self, job: str, shard: int, begun: asyncio.Event) -> None:
        self._in_progress += 1
        try:
            await self._take(job, shard, begun)
        except BrokerError as error:
            # The lease expires, if there is one, and the sweep publishes the shard again.
            log.warning("shard_left job=%s shard=%s: %s", job, shard, error)
        finally:
            self._in_progress -= 1
        self.sweep_soon.set()

    async def _take(self, job: str, shard: int, begun: asyncio.Event) -> None:
        """Claim *shard*, and work on it if it may be started here."""
        board = self.tools.board
        if not self._may_claim(job, shard):
            await board.decline(job, shard, 0.0 if self.stopping else SOON)
            return
        if job in self.jobs.open:
            # Before the claim, so that no shard is claimed of a job that was just stopped here.
            await self.jobs.open[job].control.announce_stop()
        sent = time.monotonic()
        claim = await board.claim(job, shard, self.tools.settings.lease)
        if claim is None:
            return
        claim = await weighed(board, job, shard, claim)
        if not self._may_begin(claim.deaths, (job, shard)):
            await board.release(ShardReport(job, shard, claim.token), SOON)
            return
        lease = RedisLease(claim.token, self.tools.settings.lease, sent)
        await self._hold(HeldShard(job, shard, lease, begun), claim)

    def _may_claim(self, job: str, shard: int) -> bool:
        seen = self._unseen_until.get(job, 0.0) <= time.monotonic()
        return seen and not self.stopping and self._quarantine.lets((job, shard))

    def _may_begin(self, deaths: int, shard: tuple[str, int]) -> bool:
        """Whether a claimed shard may be started beside those that are held."""
        if not self._quarantine.lets(shard):
            return False
        suspect = deaths == SUSPECT
        if suspect and self.held:
            self._quarantine.make_room(shard)
            return False
        if suspect:
            log.warning("shard_alone job=%s shard=%s: two workers have died with it", *shard)
        self._quarantine.begin(shard, alone=suspect)
        return True

    async def _hold(self, held: HeldShard, claim: ShardClaim) -> None:
        self.held.add(held)
        self.idle.clear()
        try:
            came_to = await work_on(held, claim, self.jobs, self.tools.board)
            # While Redis is away, keep trying, rather than let the lease expire.
            patience = 0.0 if self.stopping else _HAND_OVER
            await retry_for(lambda: self._hand_over(held, came_to), patience)
        finally:
            self.held.discard(held)
            self._quarantine.end((held.job, held.shard))
            if not self.held:
                self.idle.set()

    async def _hand_over(self, held: HeldShard, came_to: Totals | HandBack | None) -> None:
        board = self.tools.board
        if isinstance(came_to, HandBack):
            if came_to.unseen:
                self._unseen_until[held.job] = time.monotonic() + came_to.delay
            await board.release(held.report(), came_to.delay, came_to.reason)
        elif came_to is not None:
            last = await board.fold(held.job, held.shard, held.lease.token, came_to)
            log.info("shard_folded job=%s shard=%s last=%s", held.job, held.shard, last)
            if last:
                await self._take(held.job, FINISH, asyncio.Event())
