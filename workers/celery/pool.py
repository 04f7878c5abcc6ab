"""Where our thread pool differs from Celery's."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from celery.concurrency.thread import ApplyResult
from celery.concurrency.thread import TaskPool as ThreadPool
from kombu.asynchronous import get_event_loop


class TaskPool(ThreadPool):  # type: ignore[misc] # Celery has no types
    """Threads that each wait for one shard on the loop; a thread that becomes free takes the next one at once."""

    def on_apply(self, *args: Any, **kwargs: Any) -> ApplyResult:
        """Begin a task; when it ends, wake the consumer, which would wait up to a second to take another."""
        result = super().on_apply(*args, **kwargs)
        result.f.add_done_callback(_wake_consumer)
        return result

    def terminate_job(self, pid: int, signal: str | None = None) -> None:
        """Nothing to kill: the shutdown has stopped the jobs already, which ends their shards.

        Without this method, which Celery's thread pool lacks, a cold shutdown fails.
        """


def _wake_consumer(_: Future[Any]) -> None:
    hub: Any = get_event_loop()
    if hub:
        hub.call_soon(_nothing)


def _nothing() -> None:
    pass
