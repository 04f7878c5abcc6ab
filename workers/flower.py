"""The Celery application for Celery's own tools: ``celery --app workers.flower flower``.

They show the shards of jobs as tasks; rows, calls and costs are finer than a task, and are in the metrics.
"""

from __future__ import annotations

import os

from workers.celery.app import make_app
from workers.celery.tasks import add_shard_task


def _refuse(_job: str, _shard: int) -> None:
    raise RuntimeError("use `retouch worker` instead of `celery worker`")


app = make_app(os.environ.get("RETOUCH_REDIS_URL") or "redis://localhost:6379/0")
add_shard_task(app, _refuse)
