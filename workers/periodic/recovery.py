"""Restores jobs that Redis has lost: whichever worker notices first puts them on the board again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from pipeline.concurrency import bounded_map, wait_for_event
from pipeline.errors import BrokerError, RetouchError
from pipeline.job.folder import JobFolder
from pipeline.job.registry import JOBS, find_exact, has_ended
from pipeline.store import open_store
from workers.placing import place_again
from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")

#: Seconds between two checks of all jobs of the store, and after a check that failed.
EVERY, _AGAIN = 30.0, 1.0
#: Jobs of the store that are checked at the same time.
_TOGETHER = 16


class Recovery:
    """Checks that every unfinished job is on the board.

    These are the jobs that this process has worked on, and the submitted ones in the store's registry: a job may be
    lost before any worker has taken a shard of it. A job that has ended is read only once.
    """

    def __init__(self, runner: ShardRunner) -> None:
        self._runner = runner
        self._board = runner.tools.board
        self._store = open_store(runner.tools.settings.store)
        self._ended: set[str] = set()

    async def run(self) -> None:
        """Check until cancelled: at the start, at intervals, and as soon as Redis seems to have lost something."""
        while True:
            try:
                await self._look(lost=self._runner.redis_lost_jobs.is_set())
            except RetouchError as error:
                log.warning("recovery_failed, trying again in %.0f s: %s", _AGAIN, error)
                # Not wait_for_event(): the event is still set, and would end the wait at once.
                await asyncio.sleep(_AGAIN)
            else:
                self._runner.redis_lost_jobs.clear()
                await wait_for_event(self._runner.redis_lost_jobs, EVERY)

    async def _look(self, *, lost: bool) -> None:
        if lost:
            # A job that had ended may have been opened again.
            self._ended.clear()
        known = self._runner.jobs.folders
        await self._put_back(known.items())
        await self._put_back(await self._submitted(known))

    async def _submitted(self, known: Iterable[str]) -> list[tuple[str, str]]:
        """The unfinished submitted jobs of the store, with their folders, the newest first."""
        names = [name for name in await self._store.names(JOBS) if name not in self._ended]
        left = set(names).difference(known)
        newest_first = (name for name in reversed(names) if name in left)
        return [job for job in await bounded_map(self._unfinished, newest_first, _TOGETHER) if job]

    async def _unfinished(self, name: str) -> tuple[str, str] | None:
        try:
            entry = await find_exact(self._store, name)
            if entry is None or not entry.submitted:
                return None
            ended = await has_ended(JobFolder.at(entry.out))
        except RetouchError as error:
            log.warning("job_unreadable job=%s: %s", name, error)
            return None
        if ended:
            self._ended.add(name)
            return None
        return entry.job, entry.out

    async def _put_back(self, jobs: Iterable[tuple[str, str]]) -> None:
        folders = dict(jobs)
        for job in await self._board.missing(list(folders)):
            try:
                placed = await place_again(self._board, JobFolder.at(folders[job]))
            except BrokerError:
                raise
            except RetouchError as error:
                log.warning("job_not_restored job=%s: %s", job, error)
                continue
            if placed:
                log.warning("job_restored job=%s: Redis had lost it; finished rows are not repeated", job)
                self._runner.sweep_soon.set()
            elif await self._board.missing([job]):
                self._runner.forget(job)
