"""``retouch worker``: a Celery worker in this process, with the right settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down

from pipeline.errors import BrokerError
from pipeline.gemini.access import access
from workers.app import make_app, publish
from workers.board import Hint
from workers.connection import check
from workers.heart import Heart, sweep_for_ever
from workers.loop import LoopThread
from workers.settings import Settings, lease_seconds
from workers.station import Station
from workers.tasks import add_shard_task
from workers.tools import opened

log = logging.getLogger("retouch.worker")


def main(max_in_flight: int, redis_url: str, store: str) -> int:
    """Work until told to end; the exit code.

    SIGTERM and Ctrl-C begin no call any more, let those in flight finish, give the rest of their shards back and
    end; the second of them ends at once, and the leases run out.

    Args:
        max_in_flight: calls in flight over all jobs.
        redis_url: the broker.
        store: where settled edits are remembered.

    Raises:
        BrokerError: Redis is out of reach.
        KeyMissing: there is no API key.
        UsageError: a setting cannot be meant.
    """
    keys = access()
    settings = Settings(
        redis_url=redis_url,
        slots=max_in_flight,
        store=store,
        lease=lease_seconds(),
        key=keys.key,
        base_url=keys.base_url,
    )
    check(redis_url)
    return _consume(settings)


def _consume(settings: Settings) -> int:
    app = make_app(settings.redis_url)
    with LoopThread() as loop:
        open_station = station_at_work(settings, partial(publish, app))
        station = loop.run(open_station.__aenter__())
        try:
            add_shard_task(app, lambda job, shard: loop.run(station.settle(job, shard)))
            with _stopping(lambda: loop.soon(station.stop)):
                return _celery(app, settings, station.tools.board.worker)
        finally:
            loop.run(open_station.__aexit__(None, None, None))


@asynccontextmanager
async def station_at_work(
    settings: Settings, publish: Callable[[Sequence[Hint]], None]
) -> AsyncIterator[Station]:
    """A station whose heart beats and that sweeps; at the end it says what it has spent, and that it is gone."""
    async with opened(settings) as tools:
        station = Station(tools)
        heart = Heart(station)
        rounds = [
            asyncio.create_task(heart.run()),
            asyncio.create_task(sweep_for_ever(station, publish)),
        ]
        for task in rounds:
            task.add_done_callback(_end_without)
        try:
            yield station
        finally:
            for task in rounds:
                task.cancel()
            await asyncio.gather(*rounds, return_exceptions=True)
            with contextlib.suppress(BrokerError):
                await heart.beat()
                await tools.board.leave()


def _end_without(task: asyncio.Task[None]) -> None:
    """A worker whose heart or sweep has failed would look alive and do nothing: it ends in order instead."""
    if not task.cancelled() and task.exception():
        log.critical("worker_broken, it ends: %r", task.exception(), exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Call *stop* when a signal tells the worker to end; a second one ends it."""
    told = False

    def on_signal(**_: object) -> None:
        nonlocal told
        if told:
            log.warning("ended_at_once: calls in flight are lost to us, and leases run out by themselves")
            os._exit(1)
        told = True
        stop()

    worker_shutting_down.connect(on_signal, weak=False)
    try:
        yield
    finally:
        worker_shutting_down.disconnect(on_signal)


def _celery(app: Celery, settings: Settings, name: str) -> int:
    """Consume until told to end."""
    # Containers run as root as a rule, and messages are JSON: nothing in them is executed.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        hostname=f"retouch@{name}",
        pool_cls=app.conf.worker_pool,
        concurrency=settings.threads,
        loglevel=log.getEffectiveLevel(),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    log.info("worker_ready slots=%s threads=%s pid=%s", settings.slots, settings.threads, os.getpid())
    worker.start()
    return int(worker.exitcode or 0)
