"""Notifications of submitted jobs: one worker at a time checks each of them (:mod:`pipeline.notify`)."""

from __future__ import annotations

import asyncio
import logging

from pipeline.concurrency import bounded_map
from pipeline.errors import BrokerError, RetouchError
from pipeline.job.folder import JobFolder
from pipeline.notify.notifier import Notifier
from pipeline.urls.public import PublicClients
from workers.shared.connection import reaching
from workers.shared.keys import NOTIFIER, TOLD
from workers.shared.scripts import Scripts
from workers.shared.status import read_status
from workers.tools import Tools

log = logging.getLogger("retouch.worker")

#: Seconds between two checks.
EVERY = 3.0
#: Milliseconds for which one worker stays the one that checks; if it does not renew this, another takes over.
OURS = 15_000
#: Jobs that are checked at the same time.
_TOGETHER = 16


class Notifying:
    """Checks every submitted job for news, until its end was notified.

    That only one worker does so just saves work: files in the job folder make sure that nothing is notified twice.
    """

    def __init__(self, tools: Tools) -> None:
        self._redis = tools.board.redis
        self._worker = tools.board.worker
        self._scripts = Scripts(self._redis)
        self._settings = tools.settings
        self._clients = PublicClients()
        self._notifiers: dict[str, Notifier] = {}

    async def run(self) -> None:
        """Check until cancelled."""
        try:
            while True:
                try:
                    if await self._is_ours():
                        await self._look()
                except BrokerError as error:
                    log.info("notifications_delayed: %s", error)
                await asyncio.sleep(EVERY)
        finally:
            await self._clients.aclose()

    async def _is_ours(self) -> bool:
        """Whether this worker is the one that checks; two at once do no harm."""
        with reaching(self._redis):
            if not await self._redis.set(NOTIFIER, self._worker, nx=True, px=OURS):
                if await self._redis.get(NOTIFIER) != self._worker:
                    return False
                await self._redis.pexpire(NOTIFIER, OURS)
            return True

    async def _look(self) -> None:
        with reaching(self._redis):
            jobs = await self._redis.smembers(TOLD)
        await bounded_map(self._look_at, map(str, jobs), _TOGETHER)

    async def _look_at(self, job: str) -> None:
        try:
            await self._tell(job)
        except BrokerError:
            raise
        except RetouchError as error:
            log.warning("notifications_delayed job=%s: %s", job, error)

    async def _tell(self, job: str) -> None:
        status = await read_status(self._redis, job)
        # A job that Redis has lost is restored with its notifications; one that was withdrawn is no longer ours.
        if status is None or await self._notifier(job, status.out).look(status):
            self._notifiers.pop(job, None)
            with reaching(self._redis):
                await self._scripts.run("told", job)

    def _notifier(self, job: str, out: str) -> Notifier:
        if job not in self._notifiers:
            folder = JobFolder.at(out)
            self._notifiers[job] = Notifier(
                folder, self._clients, self._settings.hook, self._settings.signing_key
            )
        return self._notifiers[job]
