"""The metrics of a worker: counted as it happens, or read off the process when it is asked.

Names follow Prometheus' practice: a unit, ``_total`` for what only grows, base units. Labels are bounded: outcomes
and verdicts are closed sets, a model is one of the catalogue or ``other``, and no series speaks of one job or row, of
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
from pipeline.engine.scope import current
from pipeline.models import ModelState, catalogue
from pipeline.record import Outcome, Record
from workers.monitoring.binding import Limit
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
#: Lines of the log for which somebody may want to be woken.
_ALARMING = (("warning", "store_failed"), ("error", "shard_set_aside"))


class Metrics:
    """:class:`pipeline.ports.Observer`: counts what this process does.

    Attributes:
        registry: all metrics of the process.
        events: what its log warns of.
    """

    def __init__(self, pulse: Pulse) -> None:
        # When each series began: nobody asks, and it is a third of the text.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        count = partial(Counter, registry=self.registry)
        self._rows = count("retouch_rows", "Rows settled here.", ("outcome",))
        self._attempts = count(
            "retouch_attempts", "Attempts by verdict, those never sent included.", ("model", "verdict")
        )
        self._calls = count("retouch_calls", "Requests whose body was begun.", ("model",))
        self._unknown = count(
            "retouch_calls_unknown", "Calls without an answer: they may have been paid for.", ("model",)
        )
        self._unpriced = count("retouch_calls_unpriced", "Calls whose cost nobody can know.", ("model",))
        self._cost = count("retouch_cost_usd", "US dollars spent, as far as known.", ("model",))
        self._tokens = count("retouch_tokens", "Tokens as the API counted them.", ("model", "kind"))
        self.events = Events(self.registry, _ALARMING)
        self._seconds = self._histogram(
            "retouch_call_duration_seconds",
            "From the request's begin to the answer's end.",
            _CALL_SECONDS,
            "model",
        )
        pulse.lagged = self._histogram(
            "retouch_event_loop_lag_seconds", "By how much the event loop came round too late.", _LAG_SECONDS
        ).observe
        self._begin()
        self._register(pulse)

    def _begin(self) -> None:
        """Every series that is known to come begins at zero: what comes with its series is no increase."""
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
        """What is not counted here: the program's version, how things stand, and the process."""
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
    """Say which version of the program this is."""
    Info("retouch_build", "The program.", registry=registry).info({"version": version("retouch")})


def _model() -> str:
    """The model of the row that the running task is at work on, as far as series can be had for it."""
    scope = current()
    known = catalogue().find(scope.model) if scope and scope.model else None
    return known.id if known else _OTHER


class _Standing(Collector):
    """What is read off the process when Prometheus asks."""

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
            "Seconds for which each limit kept jobs here from making more calls, summed over the jobs.",
            labels=("limit",),
        )
        jobs = GaugeMetricFamily(
            "retouch_jobs_bound", "Jobs at work here, by the limit that binds them.", labels=("limit",)
        )
        limits = pulse.limits()
        for limit in Limit:
            bound.add_metric((limit,), pulse.bound[limit])
            jobs.add_metric((limit,), limits.count(limit))
        yield bound
        yield jobs

    def _backlog(self) -> Iterator[Metric]:
        found = self._pulse.backlog
        if found is None:
            return
        yield _gauge("queue_messages", "Messages in the queue, of all workers.", found.messages)
        yield _gauge("open_jobs", "Jobs that are not ended, of all workers.", found.jobs)
        yield _gauge("open_rows", "Rows of open jobs that are not settled, of all workers.", found.rows)
        yield _gauge("waiting_shards", "Shards that nobody holds and that are not settled.", found.shards)
        yield _gauge("workers", "Workers whose heartbeat was heard.", found.workers)


def _of_runner(runner: ShardRunner, now: float) -> Iterator[Metric]:
    tools = runner.tools
    jobs = list(runner.jobs.open.values())
    leases = [held.lease for held in list(runner.held)]
    yield _gauge(
        "calls_in_flight", "Calls in flight here.", sum(worker_job.figures.in_flight for worker_job in jobs)
    )
    yield _gauge("slots", "Calls that may be in flight here.", tools.settings.slots)
    yield _gauge("threads", "Threads that take messages.", tools.settings.threads)
    yield _gauge("threads_busy", "Threads that wait for a shard.", runner.busy_threads)
    yield _gauge("leases", "Shards that are held here.", len(leases))
    yield _gauge(
        "lease_age_seconds",
        "For how long the oldest lease here has been held.",
        now - min((lease.taken for lease in leases), default=now),
    )
    yield _gauge(
        "lease_renewal_age_seconds",
        "Since the renewal of a lease here that is the longest ago; a lease is lost at its length.",
        now - min((lease.renewed_at for lease in leases), default=now),
    )
    yield _gauge("lease_seconds", "The length of a lease.", tools.settings.lease)
    yield _gauge(
        "heartbeat_age_seconds", "Since Redis last answered a heartbeat.", now - runner.last_heartbeat
    )
    yield _gauge(
        "pace_limit_calls_per_minute",
        "What --rpm allows the jobs that are at work here, summed; those without a limit add nothing.",
        sum(worker_job.rpm or 0.0 for worker_job in jobs),
    )
    yield _gauge(
        "pace_wait_seconds",
        "Until the latest start of a call that --rpm has given here.",
        max((worker_job.booked - now for worker_job in jobs if worker_job.booked > now), default=0.0),
    )
    yield _gauge(
        "api_hold_seconds",
        "For how long the API wants to be left alone.",
        max((worker_job.hold for worker_job in jobs), default=0.0),
    )
    aside = sum(purse.aside for purse in list(tools.purses.values()))
    yield _gauge("reserved_usd", "US dollars set aside for calls in flight here.", dollars(aside))
    yield _gauge("stopping", "Whether this worker was told to end.", runner.stopping)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"retouch_{name}", text, value)
