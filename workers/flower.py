"""Retouch as Celery's own tools take it: ``celery --app workers.flower flower``.

They see the shards of jobs on their way; rows, calls and money are in the metrics, for which messages are too coarse.
"""

from __future__ import annotations

import os

from workers.celery.app import make_app
from workers.celery.tasks import add_shard_task


def _elsewhere(_job: str, _shard: int) -> None:
    raise RuntimeError("use `retouch worker` instead of `celery worker`")


app = make_app(os.environ.get("RETOUCH_REDIS_URL") or "redis://localhost:6379/0")
add_shard_task(app, _elsewhere)
