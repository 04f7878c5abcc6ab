"""``retouch worker``: a worker in this process, until it is stopped."""

from __future__ import annotations

from jobs import environment
from workers.worker import main


def work(
    *, max_in_flight: int, metrics_port: int | None, metrics_host: str, notify_command: str | None
) -> int:
    """Take jobs from Redis; the exit code."""
    metrics = None if metrics_port is None else (metrics_host, metrics_port)
    return main(max_in_flight, environment.redis_url(), environment.store(), metrics, notify_command)
