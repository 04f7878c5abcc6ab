"""Celery's thread pool with an end: without it a cold shutdown fails on a method that threads do not have."""

from __future__ import annotations

from celery.concurrency.thread import TaskPool as ThreadPool


class TaskPool(ThreadPool):  # type: ignore[misc] # Celery has no types
    """Threads, each of which waits for one shard on the loop."""

    def terminate_job(self, pid: int, signal: str | None = None) -> None:
        """Nothing to kill: a shard ends when its job is stopped, which the shutdown has done already."""
