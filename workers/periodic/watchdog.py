"""Notices that this process is alive and consumes nothing: progress is watched, not the process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")

#: Seconds that a consumer may take to be restarted: it closes its connection first, on which nobody answers.
_RESTART = 10.0

STALLED = (
    "messages are waiting and none is received, although threads are free and the consumer was restarted"
)


class Watchdog:
    """Counts the seconds for which messages lie in the queue, threads are free here, and none comes.

    Celery has had many ways to lose its consumer with its process alive (celery#8030, #9054, #10205, kombu#2582), so
    none is looked for in particular. First the consumer is restarted; if that does not help, the process ends, for
    its supervisor.
    """

    def __init__(
        self,
        runner: ShardRunner,
        reconnect: Callable[[], None],
        end: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._seconds = runner.tools.settings.stalled
        self._reconnect = reconnect
        self._end = end
        self._clock = clock
        self._since = clock()
        self._restarted = False

    async def look(self) -> None:
        """Look once; called by the clock.

        Raises:
            BrokerError: Redis is out of reach, which nobody is to blame for.
        """
        runner, now = self._runner, self._clock()
        if runner.last_message > self._since:
            self._since, self._restarted = runner.last_message, False
        if runner.stopping or runner.busy_threads >= runner.tools.settings.threads:
            self._since = now
        elif now - self._since >= (max(self._seconds, _RESTART) if self._restarted else self._seconds):
            await self._act(now)

    async def _act(self, now: float) -> None:
        if not await self._runner.tools.board.overdue(self._seconds):
            self._since = now
        elif not self._restarted:
            log.warning("consumer_stalled for %.0f s, restarting it", now - self._since)
            self._since, self._restarted = now, True
            self._reconnect()
        else:
            log.critical("consumer_stalled, shutting down: %s", STALLED)
            self._since = now
            self._end()
