"""Celery's thread pool, as far as ours behaves otherwise."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import ApplyResult
from celery.concurrency.thread import TaskPool as ThreadPool
from kombu.asynchronous import get_event_loop


class TaskPool(ThreadPool):  # type: ignore[misc] # Celery has no types
    """Threads, each of which waits for one shard on the loop; one that has become free takes the next at once."""

    def on_apply(self, *args: Any, **kwargs: Any) -> ApplyResult:
        """Begin a task; at its end the consumer looks for another, for which it would wait up to a second."""
        result = super().on_apply(*args, **kwargs)
        result.f.add_done_callback(_wake_consumer)
        return result

    def terminate_job(self, pid: int, signal: str | None = None) -> None:
        """Nothing to kill: a shard ends when its job is stopped, which the shutdown has done already.

        Without it a cold shutdown fails on a method that threads do not have.
        """


def _wake_consumer(_: Future[Any]) -> None:
    hub: Any = get_event_loop()
    if hub:
        hub.call_soon(_nothing)


def _nothing() -> None:
    pass
