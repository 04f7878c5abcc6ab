"""Where our consumer and worker differ from Celery's."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from celery.apps.worker import Worker as CeleryWorker
from celery.exceptions import CPendingDeprecationWarning
from celery.worker import state
from celery.worker.consumer import Consumer as CeleryConsumer

log = logging.getLogger("retouch.worker")

#: Seconds between two attempts to reach a Redis that is away: the first wait, and the longest.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 2.0


class Consumer(CeleryConsumer):  # type: ignore[misc] # Celery has no types
    """Reconnects soon after Redis is back."""

    def ensure_connected(self, conn: Any) -> Any:
        """*conn*, connected; waits for as long as it takes, unless the worker is told to stop."""
        conn.ensure_connection(
            _unreachable,
            interval_start=_FIRST_WAIT,
            interval_step=_FIRST_WAIT,
            interval_max=_LONGEST_WAIT,
            callback=state.maybe_shutdown,
        )
        self.first_connection_attempt = False
        return conn


class Worker(CeleryWorker):  # type: ignore[misc] # Celery has no types
    """Takes messages. Signals are left to whoever starts it, and nothing is printed on standard output.

    Attributes:
        on_stop: called when it stops for whatever reason, before it waits for its threads.
    """

    on_stop: Callable[[], None]

    def setup_logging(self, colorize: bool | None = None) -> None:  # noqa: ARG002 - Celery's call
        """Set only Celery's own level: it would make every library log as much as we do."""
        logging.getLogger("celery").setLevel(self.loglevel)

    def install_platform_tweaks(self, worker: Any) -> None:
        """Install no handlers of Celery's: they print on standard output and ignore a second signal."""

    def on_consumer_ready(self, consumer: Any) -> None:
        """The consumer is there, for the first time or again."""
        # A warning at each reconnect about a setting of ours (app.py); Celery has just enabled it.
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        super().on_consumer_ready(consumer)

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Take no more messages, and return when every thread has finished its shard."""
        self.on_stop()
        super().stop(in_sighandler, exitcode)

    def reconnect(self) -> None:
        """Restart the consumer with a new connection; shards in progress continue. Safe in any thread."""
        self.consumer.hub.call_soon(_lose_connection)

    def end(self, exitcode: int) -> None:
        """Take no more messages, and end with *exitcode* when every thread has finished. Safe in any thread."""
        self.exitcode = exitcode
        state.should_stop = exitcode
        self.wake()

    def wake(self) -> None:
        """Wake the consumer so that it notices that it is to stop; otherwise it waits for the next message.

        Safe in any thread, but not in a signal handler: it takes a lock.
        """
        hub = self.consumer and self.consumer.hub
        if hub:
            hub.call_soon(_nothing)


def _unreachable(error: BaseException, _interval: float) -> None:
    log.warning("redis_away, no messages until it is back: %s", error)


def _nothing() -> None:
    pass


def _lose_connection() -> NoReturn:
    raise ConnectionError("the consumer takes no messages")
