"""Notices that this process is alive but receives no messages."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")

#: Seconds that a restart of the consumer may take: it first closes a connection on which nobody answers.
_RESTART = 10.0

STALLED = (
    "messages are waiting and none is received, although threads are free and the consumer was restarted"
)


class Watchdog:
    """Measures for how long messages wait in the queue and threads are free here, but none is received.

    Celery has lost its consumer in many ways while its process stayed alive (celery#8030, #9054, #10205, kombu#2582),
    so any cause counts. First the consumer is restarted; if that does not help, the process ends, for its supervisor
    to restart.
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
        """Check once; called with each sweep.

        Raises:
            BrokerError: Redis is out of reach, so nothing can be said of the consumer.
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
