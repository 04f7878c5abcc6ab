"""``retouch scheduler``: starts the runs of schedules, until it is stopped."""

from __future__ import annotations

from redis.asyncio import Redis

from jobs import environment
from jobs.schedule.book import ScheduleBook
from jobs.schedule.launch import Launcher
from jobs.schedule.ticker import Ticker
from jobs.standing import registry
from workers.celery.beat import beat
from workers.shared.schedules import Schedules


def run(*, metrics_port: int | None, metrics_host: str) -> int:
    """Tick until told to stop; the exit code."""
    url, book = environment.redis_url(), ScheduleBook(registry())

    def ticker(redis: Redis) -> Ticker:
        return Ticker(book, Schedules(redis, book.store.url), Launcher(book, url).begin)

    return beat(url, ticker, None if metrics_port is None else (metrics_host, metrics_port))
