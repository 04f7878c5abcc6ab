"""The heartbeat, which renews every lease of the process in one round trip; and updates of report.json."""

from __future__ import annotations

import asyncio
import logging
import time

from pipeline.errors import BrokerError, RetouchError
from pipeline.status import State
from workers.reporting import FRESH, freshen
from workers.shards.mark import ELSEWHERE
from workers.shards.runner import ShardRunner
from workers.shards.worker_job import WorkerJob
from workers.shared.board_types import WorkerCard

log = logging.getLogger("retouch.worker")

#: Seconds in which a heartbeat is answered, or tried again on a new connection.
_ANSWER = 2.0


class Heartbeat:
    """Renews the leases of the process, reports its progress and costs, and receives what is wanted of its jobs."""

    def __init__(self, runner: ShardRunner) -> None:
        self._runner = runner
        self._writing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Beat until cancelled."""
        away: float | None = None
        while True:
            began = time.monotonic()
            try:
                await self.beat()
                if away is not None:
                    log.warning("redis_back after %.0f s", time.monotonic() - away)
                away = None
            except (BrokerError, TimeoutError) as error:
                if away is None:
                    away = began
                    log.warning("redis_away, no new calls until it is back: %r", error)
            self._freshen()
            await asyncio.sleep(max(0.0, began + self._runner.tools.settings.beat - time.monotonic()))

    async def beat(self) -> None:
        """One beat.

        Raises:
            BrokerError: Redis is out of reach.
            TimeoutError: it does not answer.
        """
        runner, tools = self._runner, self._runner.tools
        jobs, shards = dict(runner.jobs.open), list(runner.held)
        reports = [held.report() for held in shards]
        money = self._money(jobs)
        sent = time.monotonic()
        async with asyncio.timeout(max(_ANSWER, tools.settings.lease / 3)):
            reply = await tools.board.beat(tools.settings.lease, self._card(jobs), reports, money)
        runner.last_heartbeat = time.monotonic()
        for held, report, ours in zip(shards, reports, reply.kept, strict=True):
            held.answered(report, sent, ours=ours)
        for job, sums in money.items():
            tools.purses[job].counted_from(reply.news[job].born)
            tools.purses[job].heard(sums, reply.news[job].born)
        if not reply.known or any(reply.news[job].state is None for job in jobs):
            runner.redis_lost_jobs.set()
        for job, worker_job in jobs.items():
            worker_job.hear(reply.news[job])
            await worker_job.control.announce_stop()

    def _money(self, jobs: dict[str, WorkerJob]) -> dict[str, str]:
        """The sums to report: for each job here, and for a job that has left with sums not yet reported."""
        changed = {job: purse.news() for job, purse in self._runner.tools.purses.items()}
        return {job: sums for job, sums in changed.items() if sums or job in jobs}

    def _card(self, jobs: dict[str, WorkerJob]) -> WorkerCard:
        settings = self._runner.tools.settings
        lines = {job: worker_job.card_line() for job, worker_job in jobs.items()}
        uploading = {job: count for job, each in jobs.items() if (count := each.figures.uploading)}
        # Without threads while stopping: if it is killed then, no shard is blamed (sweep.lua).
        return WorkerCard(0 if self._runner.stopping else settings.threads, settings.slots, lines, uploading)

    def _freshen(self) -> None:
        now = time.monotonic()
        for worker_job in self._runner.jobs.open.values():
            if now - worker_job.reported >= FRESH:
                worker_job.reported = now
                task = asyncio.create_task(self._write(worker_job))
                self._writing.add(task)
                task.add_done_callback(self._writing.discard)

    async def _write(self, worker_job: WorkerJob) -> None:
        try:
            await worker_job.control.repeat_wanted()
            if not await self._runner.jobs.marks.ours(worker_job.folder):
                worker_job.brake.stop(State.WAITING, ELSEWHERE)
            elif await freshen(self._runner.tools.board, worker_job.folder, worker_job.spec.job):
                await self._runner.jobs.marks.renew(worker_job.folder)
        except RetouchError as error:
            log.warning("report_not_updated job=%s: %s", worker_job.spec.job, error)
