"""The metrics of a worker: counted as things happen, or read from the process when Prometheus asks.

Names follow Prometheus' conventions: base units, and ``_total`` for what only grows. Labels are bounded: outcomes
and verdicts are closed sets, and a model is one of the catalogue or ``other``. No series is about one job or row, of
which there may be any number; those are in logs and traces.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.attempt import Attempt, Verdict
from pipeline.engine.task_context import current
from pipeline.models import ModelState, catalogue
from pipeline.record import Outcome, Record
from workers.monitoring.binding import BindingLimit
from workers.monitoring.events import Events
from workers.monitoring.health import fault
from workers.monitoring.pulse import Pulse
from workers.shards.runner import ShardRunner
from workers.shared.sums import dollars

_CALL_SECONDS = (0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
_LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TOKENS = ("input", "output_text", "output_image", "thoughts")
#: Stands for models that the catalogue does not know: a manifest may name any.
_OTHER = "other"
#: Levels and names of log events with an alert.
_ALARMING = (("warning", "store_failed"), ("error", "shard_set_aside"))


class Metrics:
    """:class:`pipeline.ports.Observer`: counts what this process does.

    Attributes:
        registry: all metrics of the process.
        events: counts the warnings of its log.
    """

    def __init__(self, pulse: Pulse) -> None:
        # The creation time of each series: nobody reads it, and it is a third of the text.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        count = partial(Counter, registry=self.registry)
        self._rows = count("retouch_rows", "Rows finished by this worker.", ("outcome",))
        self._attempts = count(
            "retouch_attempts", "Attempts by verdict, including those never sent.", ("model", "verdict")
        )
        self._calls = count("retouch_calls", "Requests sent, even partly.", ("model",))
        self._unknown = count(
            "retouch_calls_unknown", "Calls that were never answered and may have been paid for.", ("model",)
        )
        self._unpriced = count("retouch_calls_unpriced", "Answered calls whose price is unknown.", ("model",))
        self._cost = count("retouch_cost_usd", "US dollars spent, as far as known.", ("model",))
        self._tokens = count("retouch_tokens", "Tokens as reported by the API.", ("model", "kind"))
        self.events = Events(self.registry, _ALARMING)
        self._seconds = self._histogram(
            "retouch_call_duration_seconds",
            "Seconds from the start of the request to the end of the answer.",
            _CALL_SECONDS,
            "model",
        )
        pulse.lagged = self._histogram(
            "retouch_event_loop_lag_seconds", "Delay of the event loop.", _LAG_SECONDS
        ).observe
        self._begin()
        self._register(pulse)

    def _begin(self) -> None:
        """Begin every known series at zero: for Prometheus, the first value of a new series is no increase."""
        for outcome in Outcome:
            self._rows.labels(outcome)
        models = [model.id for model in catalogue().models if model.state is not ModelState.SHUT]
        for model in (*models, _OTHER):
            for verdict in Verdict:
                self._attempts.labels(model, verdict)
            for kind in _TOKENS:
                self._tokens.labels(model, kind)
            for counter in (self._calls, self._unknown, self._unpriced, self._cost, self._seconds):
                counter.labels(model)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    def _register(self, pulse: Pulse) -> None:
        """What is read when asked: the program's version, the state of the worker, and the process."""
        build_info(self.registry)
        self.registry.register(_Standing(pulse))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def call_begun(self) -> None:
        self._calls.labels(_model()).inc()

    def call_ended(self, attempt: Attempt) -> None:
        model = _model()
        self._attempts.labels(model, attempt.verdict).inc()
        if attempt.begun and attempt.seconds:
            self._seconds.labels(model).observe(attempt.seconds)
        if attempt.unknown:
            self._unknown.labels(model).inc()
        if attempt.cost_usd is not None:
            self._cost.labels(model).inc(attempt.cost_usd)
        elif attempt.begun:
            self._unpriced.labels(model).inc()
        if attempt.tokens:
            for kind in _TOKENS:
                self._tokens.labels(model, kind).inc(getattr(attempt.tokens, kind))

    def row_settled(self, record: Record) -> None:
        self._rows.labels(record.outcome).inc()


def build_info(registry: CollectorRegistry) -> None:
    """Add the version of the program to *registry*."""
    Info("retouch_build", "The version of retouch.", registry=registry).info({"version": version("retouch")})


def _model() -> str:
    """The label for the model of the row that the running task works on."""
    scope = current()
    known = catalogue().find(scope.model) if scope and scope.model else None
    return known.id if known else _OTHER


class _Standing(Collector):
    """Reads the state of the process when Prometheus asks."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    def collect(self) -> Iterable[Metric]:
        yield from self._process()
        if self._pulse.runner is not None:
            yield from _of_runner(self._pulse.runner, time.monotonic())
        if self._pulse.backlog is not None:
            yield from self._backlog()

    def _process(self) -> Iterator[Metric]:
        pulse = self._pulse
        yield _gauge("healthy", "Whether this worker makes progress.", fault(pulse.vitals()) is None)
        bound = CounterMetricFamily(
            "retouch_bound_seconds",
            "Seconds for which each limit kept this worker's jobs from making more calls, summed over the jobs.",
            labels=("limit",),
        )
        jobs = GaugeMetricFamily(
            "retouch_jobs_bound",
            "Jobs in progress on this worker, by the limit that binds them.",
            labels=("limit",),
        )
        limits = pulse.limits()
        for limit in BindingLimit:
            bound.add_metric((limit,), pulse.bound[limit])
            jobs.add_metric((limit,), limits.count(limit))
        yield bound
        yield jobs

    def _backlog(self) -> Iterator[Metric]:
        found = self._pulse.backlog
        if found is None:
            return
        yield _gauge("queue_messages", "Messages in the queue, of all workers.", found.messages)
        yield _gauge("open_jobs", "Jobs that have not ended, of all workers.", found.jobs)
        yield _gauge("open_rows", "Unfinished rows of open jobs, of all workers.", found.rows)
        yield _gauge("waiting_shards", "Unfinished shards that no worker holds.", found.shards)
        yield _gauge("workers", "Workers with a recent heartbeat.", found.workers)


def _of_runner(runner: ShardRunner, now: float) -> Iterator[Metric]:
    tools = runner.tools
    jobs = list(runner.jobs.open.values())
    leases = [held.lease for held in list(runner.held)]
    yield _gauge(
        "calls_in_flight",
        "Calls in flight on this worker.",
        sum(worker_job.figures.in_flight for worker_job in jobs),
    )
    yield _gauge("slots", "Calls that may be in flight on this worker.", tools.settings.slots)
    yield _gauge("threads", "Threads that take messages.", tools.settings.threads)
    yield _gauge("threads_busy", "Threads that wait for a shard.", runner.busy_threads)
    yield _gauge("leases", "Shards that this worker holds.", len(leases))
    yield _gauge(
        "lease_age_seconds",
        "Age of this worker's oldest lease.",
        now - min((lease.taken for lease in leases), default=now),
    )
    yield _gauge(
        "lease_renewal_age_seconds",
        "Time since the oldest renewal among this worker's leases; a lease is lost at its length.",
        now - min((lease.renewed_at for lease in leases), default=now),
    )
    yield _gauge("lease_seconds", "The length of a lease.", tools.settings.lease)
    yield _gauge(
        "heartbeat_age_seconds", "Time since Redis last answered a heartbeat.", now - runner.last_heartbeat
    )
    yield _gauge(
        "pace_limit_calls_per_minute",
        "The sum of --rpm of this worker's jobs; jobs without it add nothing.",
        sum(worker_job.pace.rpm or 0.0 for worker_job in jobs),
    )
    yield _gauge(
        "pace_wait_seconds",
        "Time until the latest call that --rpm has scheduled on this worker.",
        max((max(0.0, worker_job.pace.booked - now) for worker_job in jobs), default=0.0),
    )
    yield _gauge(
        "api_hold_seconds",
        "Remaining time of a pause that the API asked for.",
        max((worker_job.hold for worker_job in jobs), default=0.0),
    )
    aside = sum(purse.aside for purse in list(tools.purses.values()))
    yield _gauge("reserved_usd", "US dollars reserved for this worker's calls in flight.", dollars(aside))
    yield _gauge("stopping", "Whether this worker was told to stop.", runner.stopping)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"retouch_{name}", text, value)
