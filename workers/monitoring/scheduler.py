"""Metrics and health of a scheduler, and a server for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.monitoring.events import Events
from workers.monitoring.health import rounds_fault
from workers.monitoring.metrics import build_info
from workers.monitoring.server import serving

log = logging.getLogger("retouch.scheduler")

#: Seconds between two checks of the event loop.
_LOOK = 0.5
#: Levels and names of log events with an alert.
_ALARMING = (("warning", "schedule_refused"), ("error", "schedule_broken"))


class Rounds:
    """When the event loop last turned, and a round last ended; read in any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._loop = self._round = clock()

    async def run(self) -> None:
        """Check the event loop until cancelled."""
        while True:
            self._loop = self._clock()
            await asyncio.sleep(_LOOK)

    def ended(self) -> None:
        """A round has ended."""
        self._round = self._clock()

    @property
    def age(self) -> float:
        """Seconds since a round ended."""
        return self._clock() - self._round

    def fault(self) -> str | None:
        """Why this scheduler is unhealthy; ``None``: it is healthy."""
        return rounds_fault(silent=self._clock() - self._loop, age=self.age)


@contextlib.contextmanager
def monitored_scheduler(host: str, port: int) -> Iterator[Rounds]:
    """Serve ``/metrics`` and ``/healthz`` of a scheduler at *host* and *port* while the block runs.

    Raises:
        UsageError: nothing can be served there.
    """
    rounds = Rounds()
    registry, events = registry_of(rounds)
    with serving(host, port, registry, rounds.fault) as url:
        log.info("metrics_served at %s/metrics", url)
        with events.counted():
            yield rounds


def registry_of(rounds: Rounds) -> tuple[CollectorRegistry, Events]:
    """The metrics of a scheduler, and the counter of its warnings among them."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    build_info(registry)
    registry.register(_Standing(rounds))
    for collector in (ProcessCollector, PlatformCollector):
        collector(registry=registry)
    return registry, Events(registry, _ALARMING)


class _Standing(Collector):
    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds

    def collect(self) -> Iterable[Metric]:
        healthy = self._rounds.fault() is None
        yield GaugeMetricFamily(
            "retouch_scheduler_healthy", "Whether this scheduler makes progress.", healthy
        )
        yield GaugeMetricFamily(
            "retouch_scheduler_round_age_seconds",
            "Time since this scheduler last looked for due runs.",
            self._rounds.age,
        )
