"""Celery's consumer and worker, as far as ours behave otherwise."""

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

#: Seconds between two tries to reach a Redis that is away: at first, and at the longest.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 2.0


class Consumer(CeleryConsumer):  # type: ignore[misc] # Celery has no types
    """Comes back soon after Redis has."""

    def ensure_connected(self, conn: Any) -> Any:
        """*conn*, connected; waits for as long as it takes, and ends when the worker is told to."""
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
    """Takes messages; signals are handled by whoever starts it, and standard output is left alone.

    Attributes:
        on_stop: called when it stops for whatever reason, before it waits for its threads.
    """

    on_stop: Callable[[], None]

    def setup_logging(self, colorize: bool | None = None) -> None:  # noqa: ARG002 - Celery's call
        """Only how much Celery itself says: it would have every library speak up as much as we do."""
        logging.getLogger("celery").setLevel(self.loglevel)

    def install_platform_tweaks(self, worker: Any) -> None:
        """No handlers of Celery's: they print on standard output, and a second signal means nothing to them."""

    def on_consumer_ready(self, consumer: Any) -> None:
        """The consumer is there, for the first time or again."""
        # Said at each reconnect, of a setting that is set on purpose (app.py); Celery has just asked to see it.
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        super().on_consumer_ready(consumer)

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Take no message any more, and return when every thread is through with its shard."""
        self.on_stop()
        super().stop(in_sighandler, exitcode)

    def reconnect(self) -> None:
        """Restart the consumer with a new connection; shards that are at work here go on. Safe in any thread."""
        self.consumer.hub.call_soon(_lose_connection)

    def end(self, exitcode: int) -> None:
        """Take no message any more, and end with *exitcode* when every thread is through. Safe in any thread."""
        self.exitcode = exitcode
        state.should_stop = exitcode
        self.wake()

    def wake(self) -> None:
        """Have the consumer look whether it is to stop, for which it would wait until something happens.

        Safe in any thread, though not in a signal handler: it takes a lock.
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
