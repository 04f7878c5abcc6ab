"""``retouch worker``: a Celery worker in this process, with the right settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

from celery import Celery
from celery.platforms import SecurityWarning
from celery.worker import state

from pipeline.concurrency import cancel_and_wait
from pipeline.engine.traces import tracing
from pipeline.errors import BrokerError
from pipeline.gemini.access import access
from pipeline.notify.command import words_of
from pipeline.notify.settings import secret_key
from pipeline.ports import Observer
from workers.celery.app import make_app, publish
from workers.celery.consumer import Worker
from workers.celery.tasks import add_shard_task
from workers.loop import LoopThread
from workers.periodic.heartbeat import Heartbeat
from workers.periodic.notifying import Notifying
from workers.periodic.recovery import Recovery
from workers.periodic.sweep import sweep_for_ever
from workers.periodic.watchdog import Watchdog
from workers.settings import Settings, grace_seconds, lease_seconds, stalled_seconds
from workers.shards.runner import ShardRunner
from workers.shared.board_types import Hint
from workers.shared.connection import check_redis
from workers.shutdown import end_in_time
from workers.tools import open_tools

if TYPE_CHECKING:
    from workers.monitoring.monitor import Monitor

log = logging.getLogger("retouch.worker")

#: Exit codes: the consumer stalled, and again after a restart; ended by Ctrl-C.
STALLED_CODE, INTERRUPTED = 1, 130


def main(
    max_in_flight: int,
    redis_url: str,
    store: str,
    metrics: tuple[str, int] | None = None,
    notify_command: str | None = None,
    *,
    events: bool = False,
) -> int:
    """Run a worker until it is told to stop; the exit code.

    After SIGTERM or Ctrl-C no call is started; those in flight finish, and the rest of their shards is given back. A
    second signal ends the process at once, and its leases expire.

    Args:
        max_in_flight: calls in flight over all jobs.
        redis_url: the broker.
        store: where job folders and the registry are: ``RETOUCH_STORE``.
        metrics: host and port for metrics and health; ``None``: they are not served.
        notify_command: is run for each notification of any job.
        events: send Celery's events, for monitors such as Flower.

    Raises:
        BrokerError: Redis is out of reach.
        KeyMissing: there is no API key.
        UsageError: a setting is not valid.
    """
    keys = access()
    settings = Settings(
        redis_url=redis_url,
        slots=max_in_flight,
        store=store,
        lease=lease_seconds(),
        grace=grace_seconds(),
        stalled=stalled_seconds(),
        key=keys.key,
        base_url=keys.base_url,
        hook=words_of(notify_command),
        signing_key=secret_key(),
        events=events,
    )
    check_redis(redis_url)
    with _monitored(metrics) as monitor, tracing() as traces:
        return _consume(settings, monitor, traces)


@contextlib.contextmanager
def _monitored(metrics: tuple[str, int] | None) -> Iterator[Monitor | None]:
    if metrics is None:
        yield None
        return
    # Imported late: without metrics, a worker starts faster and takes less memory.
    from workers.monitoring.monitor import monitored  # noqa: PLC0415

    with monitored(*metrics) as monitor:
        yield monitor


def _consume(settings: Settings, monitor: Monitor | None, traces: tuple[Observer, ...]) -> int:
    app = make_app(settings.redis_url)
    app.conf.worker_send_task_events = settings.events
    worker: Worker | None = None

    def reconnect() -> None:
        if worker:
            worker.reconnect()

    def end() -> None:
        runner.stop()
        if worker:
            worker.end(STALLED_CODE)

    with LoopThread() as loop:
        opened_runner = runner_at_work(settings, partial(publish, app), reconnect, end, monitor, traces)
        runner = loop.run(opened_runner.__aenter__())
        try:
            add_shard_task(app, lambda job, shard: loop.run(runner.settle(job, shard)))
            worker = _worker(app, settings, runner.tools.board.worker)
            worker.on_stop = partial(loop.soon, partial(_stop, runner, worker))
            with _signals(worker.on_stop):
                log.info(
                    "worker_ready slots=%s threads=%s pid=%s", settings.slots, settings.threads, os.getpid()
                )
                worker.start()
            return int(worker.exitcode or 0)
        finally:
            loop.run(opened_runner.__aexit__(None, None, None))


def _stop(runner: ShardRunner, worker: Worker) -> None:
    runner.stop()
    worker.wake()


@asynccontextmanager
async def runner_at_work(
    settings: Settings,
    publish: Callable[[Sequence[Hint]], None],
    reconnect: Callable[[], None],
    end: Callable[[], None],
    monitor: Monitor | None = None,
    traces: tuple[Observer, ...] = (),
) -> AsyncIterator[ShardRunner]:
    """A runner with everything that runs beside it; at the end it reports what it has spent, and that it is gone.

    Args:
        settings: of the process.
        publish: publishes messages.
        reconnect: restarts what takes messages.
        end: shuts the worker down in order, with an exit code for failure.
        monitor: metrics and health; ``None``: they are not served.
        traces: observers that make spans.
    """
    async with AsyncExitStack() as stack:
        observers = (*(monitor.observers if monitor else ()), *traces)
        tools = await stack.enter_async_context(open_tools(settings, observers))
        runner = ShardRunner(tools)
        if monitor:
            await stack.enter_async_context(monitor.watching(runner))
        heartbeat = Heartbeat(runner)
        rounds = [
            asyncio.create_task(heartbeat.run()),
            asyncio.create_task(sweep_for_ever(runner, publish, Watchdog(runner, reconnect, end))),
            asyncio.create_task(Recovery(runner).run()),
            asyncio.create_task(Notifying(tools).run()),
        ]
        for task in rounds:
            task.add_done_callback(partial(_end_without, end=end))
        last = asyncio.create_task(end_in_time(runner))
        try:
            yield runner
        finally:
            # Celery has ended, but shards whose rows have all been started may still be here, for their grace period.
            runner.stop()
            await runner.idle.wait()
            await cancel_and_wait(*rounds, last)
            with contextlib.suppress(BrokerError, TimeoutError):
                await heartbeat.beat()
                await tools.board.leave()


def _end_without(task: asyncio.Task[None], end: Callable[[], None]) -> None:
    """Without its heartbeat or sweep a worker would look alive and do nothing: it shuts down in order instead."""
    if not task.cancelled() and task.exception():
        log.critical("worker_broken, shutting down: %r", task.exception(), exc_info=task.exception())
        end()


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and Ctrl-C call *stop* and let Celery shut down in order; a second one ends the process at once.

    SIGHUP, from a terminal that is closed, shuts down in order however often it comes: some shells send it twice.
    Under ``nohup`` it stays ignored.
    """
    stopping = False

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping and number == signal.SIGHUP:
            return
        if stopping:
            log.warning(
                "ended_at_once: calls in flight are abandoned and may have been paid for; leases will expire"
            )
            os._exit(1)
        stopping = True
        log.info("worker_stopping: waiting for calls in flight; a second signal ends it at once")
        stop()
        state.should_stop = INTERRUPTED if number == signal.SIGINT else 0

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        # Not restored below: a second one may come while the last pictures are stored.
        signal.signal(signal.SIGHUP, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _worker(app: Celery, settings: Settings, name: str) -> Worker:
    # Containers usually run as root; messages are JSON, and nothing in them is executed.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    return Worker(
        app=app,
        hostname=f"retouch@{name}",
        pool_cls=app.conf.worker_pool,
        concurrency=settings.threads,
        loglevel=log.getEffectiveLevel(),
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=not settings.events,
    )
