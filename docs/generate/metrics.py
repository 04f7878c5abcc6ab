"""Every metric of a worker and of a scheduler, as they tell Prometheus."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from docs.generate.markdown import code, codes, members, table
from pipeline.attempt import Attempt, Tokens, Variant, Verdict
from pipeline.gemini.client import BASE_URL
from workers.monitoring.backlog import Backlog
from workers.monitoring.binding import BindingLimit
from workers.monitoring.metrics import Metrics
from workers.monitoring.pulse import Pulse
from workers.monitoring.scheduler import Rounds, registry_of
from workers.settings import Settings
from workers.shards.runner import ShardRunner
from workers.tools import open_tools

_INTRO = """# Metrics

`retouch worker --metrics-port N` and `retouch scheduler --metrics-port N` serve these metrics at `/metrics`;
[Monitoring](../how-to/monitoring.md) shows how to use them. The label `model` is a model of the [catalogue](models.md) or `other`;
`outcome`, `verdict` and `limit` have a fixed set of values. There are no series per job or row; look for those in the logs. The
standard metrics of Python processes (`process_…`, `python_…`) are served as well.
"""

_SCHEDULER = """## Schedulers

A scheduler also has `retouch_build_info` and `retouch_events_total`.
"""

_LIMITS = """## Which limit binds

`retouch_bound_seconds_total` and `retouch_jobs_bound` show which limit keeps jobs from making more calls.
"""


def page() -> str:
    """The page."""
    worker = asyncio.run(_metrics())
    shared = {metric.name for metric in worker}
    scheduler = [one for one in _ours(registry_of(Rounds())[0]) if one.name not in shared]
    limits = [[code(limit), text] for limit, text in members(BindingLimit).items()]
    return "\n".join(
        [_INTRO, _table(worker), _SCHEDULER, _table(scheduler), _LIMITS, table(["limit", ""], limits)]
    )


def _table(found: list[Metric]) -> str:
    rows = [
        [code(_shown(one)), one.type, codes(_labels(one)), one.documentation]
        for one in sorted(found, key=lambda metric: metric.name)
    ]
    return table(["metric", "type", "labels", ""], rows)


def _ours(registry: CollectorRegistry) -> list[Metric]:
    return [metric for metric in registry.collect() if metric.name.startswith("retouch_")]


async def _metrics() -> list[Metric]:
    """All metrics of a worker that has met one of everything; nothing is connected to."""
    pulse = Pulse()
    metrics = Metrics(pulse)
    async with open_tools(_SETTINGS) as tools:
        pulse.runner = ShardRunner(tools)
        pulse.backlog = Backlog(messages=0, jobs=0, shards=0, rows=0, workers=0)
        metrics.call_begun()
        metrics.call_ended(_ATTEMPT)
        return _ours(metrics.registry)


_SETTINGS = Settings(
    redis_url="redis://localhost", slots=1, store="memory:///", base_url=BASE_URL, key="none"
)
_ATTEMPT = Attempt(
    n=1,
    started_at="",
    seconds=1.0,
    verdict=Verdict.IMAGE,
    counted=True,
    prompt_variant=Variant.PLAIN,
    tokens=Tokens(),
)


def _shown(metric: Metric) -> str:
    """The name under which it is asked for."""
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    return metric.name + suffix


def _labels(metric: Metric) -> list[str]:
    return sorted({label for sample in metric.samples for label in sample.labels} - {"le"})
