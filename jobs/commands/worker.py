"""``retouch worker``: a worker in this process, until it is stopped."""

from __future__ import annotations

from jobs import environment
from workers.worker import main


def work(
    *,
    max_in_flight: int,
    metrics_port: int | None,
    metrics_host: str,
    notify_command: str | None,
    events: bool,
) -> int:
    """Take jobs from Redis; the exit code."""
    metrics = None if metrics_port is None else (metrics_host, metrics_port)
    redis_url, store = environment.redis_url(), environment.store()
    return main(max_in_flight, redis_url, store, metrics, notify_command, events=events)
