"""The one task, of a few lines."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery, Task

from workers.celery.app import TASK_OPTIONS


def add_shard_task(app: Celery, settle: Callable[[str, int], None]) -> Task:
    """Register the task that settles a shard; *settle* returns when nothing more can be done for it here."""

    def shard(job: str, number: int) -> None:
        # A hint: the lease decides whether the shard is still to be settled, and by whom.
        settle(job, number)

    # Not shared: the task belongs to this application, not to every one that the process makes.
    return app.task(shared=False, **TASK_OPTIONS)(shard)
