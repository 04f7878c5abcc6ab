"""Collects metrics and health of this worker, and serves them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from pipeline.concurrency import cancel_and_wait
from pipeline.ports import Observer
from workers.monitoring.health import fault
from workers.monitoring.metrics import Metrics
from workers.monitoring.pulse import Pulse
from workers.monitoring.server import serving
from workers.shards.runner import ShardRunner

log = logging.getLogger("retouch.worker")


@dataclass(frozen=True)
class Monitor:
    """The monitoring of this process; its *observers* follow rows and calls."""

    pulse: Pulse
    observers: tuple[Observer, ...]

    @contextlib.asynccontextmanager
    async def watching(self, runner: ShardRunner) -> AsyncIterator[None]:
        """Watch the pulse of *runner* while the block runs."""
        task = asyncio.create_task(self.pulse.run(runner))
        try:
            yield
        finally:
            await cancel_and_wait(task)


@contextlib.contextmanager
def monitored(host: str, port: int) -> Iterator[Monitor]:
    """Serve metrics and health at *host* and *port* while the block runs.

    Raises:
        UsageError: nothing can be served there.
    """
    pulse = Pulse()
    metrics = Metrics(pulse)
    with serving(host, port, metrics.registry, lambda: fault(pulse.vitals())) as url:
        log.info("metrics_served at %s/metrics", url)
        with metrics.events.counted():
            yield Monitor(pulse, (pulse, metrics))
