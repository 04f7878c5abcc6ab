"""Does a job keep its slots busy: its wall against the ideal schedule of the same latencies."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result
from benchmarks.stage import PATIENCE, Stage, must_be_answered

_BOUND = Bound(1.10)

#: Wall seconds of a whole job on a server at a URL.
_Job = Callable[[str], float]


def schedule(stage: Stage) -> Result:
    """Wall of ``retouch run`` and of a submitted job, with one latency and with a slow tail."""
    sizes = stage.sizes
    result = Result(
        "schedule",
        f"{sizes.schedule_rows} rows over {sizes.schedule_slots} slots. Wall is the whole of it: start, planning, "
        "results and report of `run`; from the start of `submit` to the end of `watch` of a submitted job. The ideal "
        "gives the latencies that the server really took, in their order, each to the slot that is free first, and "
        "nothing else takes time; with one latency for all that is N·L/S.",
    )
    for latency, called in (
        (str(sizes.schedule_latency), f"latency {sizes.schedule_latency:g} s"),
        (sizes.schedule_tail, f"slow tail ({sizes.schedule_tail})"),
    ):
        for name, job in (("retouch run", _run), ("a submitted job", _submitted)):
            try:
                result.figures.append(
                    _figure(stage, latency, f"wall of {name} against the ideal, {called}", job)
                )
            except BenchmarkError as error:
                result.failed.append(f"{name}, {called}: {error}")
    return result


def ideal(latencies: Iterable[float], slots: int) -> float:
    """Seconds of a job whose calls take *latencies* in this order, each in the slot that is free first."""
    free = [0.0] * slots
    for latency in latencies:
        heapq.heapreplace(free, free[0] + latency)
    return max(free)


def _figure(stage: Stage, latency: str, name: str, job: Callable[[Stage, str], float]) -> Figure:
    with stage.server(latency) as server:
        # A worker's first row, which ends its start, is not of the job: it is forgotten before the job begins.
        wall = job(stage, server.url) if job is _run else _with_worker(stage, server.url, server.reset)
        latencies = must_be_answered(server, stage.sizes.schedule_rows)["latencies"]
    best = ideal(latencies, stage.sizes.schedule_slots)
    slowest = max(latencies)
    note = f"{wall:.1f} s, ideal {best:.1f} s, slowest call {slowest:.1f} s"
    return Figure(name, (wall / best,), "×", _BOUND, note)


def _run(stage: Stage, url: str) -> float:
    rows, slots = stage.sizes.schedule_rows, stage.sizes.schedule_slots
    manifest = stage.workload.manifest(rows)
    return stage.retouch_run(manifest, rows, url=url, slots=slots, seconds=_patience(rows)).wall


def _submitted(stage: Stage, url: str) -> float:
    return _with_worker(stage, url, lambda: None)


def _with_worker(stage: Stage, url: str, ready: Callable[[], None]) -> float:
    rows, slots = stage.sizes.schedule_rows, stage.sizes.schedule_slots
    manifest = stage.workload.manifest(rows)
    with stage.valkey() as redis, stage.worker(redis=redis, url=url, slots=slots):
        ready()
        took = stage.submitted(manifest, rows, redis=redis, url=url, slots=slots, seconds=_patience(rows))
    return took.wall


def _patience(rows: int) -> float:
    return PATIENCE + rows
