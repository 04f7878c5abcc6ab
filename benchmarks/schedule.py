"""Does a job keep its slots busy: its wall against the ideal schedule of the same latencies."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result
from benchmarks.servers import Canned
from benchmarks.stage import PATIENCE, Stage, must_be_answered

_BOUND = Bound(1.10)

#: Does the whole job; its wall in seconds.
_Job = Callable[[Stage, Canned], float]


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


def _figure(stage: Stage, latency: str, name: str, job: _Job) -> Figure:
    with stage.server(latency) as server:
        wall = job(stage, server)
        latencies = must_be_answered(server, stage.sizes.schedule_rows)["latencies"]
    best = ideal(latencies, stage.sizes.schedule_slots)
    note = f"{wall:.1f} s, ideal {best:.1f} s, slowest call {max(latencies):.1f} s"
    return Figure(name, (wall / best,), "x", _BOUND, note)


def _run(stage: Stage, server: Canned) -> float:
    rows, slots = stage.sizes.schedule_rows, stage.sizes.schedule_slots
    manifest = stage.workload.manifest(rows)
    return stage.retouch_run(manifest, rows, url=server.url, slots=slots, seconds=_patience(rows)).wall


def _submitted(stage: Stage, server: Canned) -> float:
    rows, slots = stage.sizes.schedule_rows, stage.sizes.schedule_slots
    manifest = stage.workload.manifest(rows)
    with stage.valkey() as redis, stage.worker(redis=redis, url=server.url, slots=slots):
        server.reset()  # of the row with which the worker's start ends
        took = stage.submitted(
            manifest, rows, redis=redis, url=server.url, slots=slots, seconds=_patience(rows)
        )
    return took.wall


def _patience(rows: int) -> float:
    return PATIENCE + rows
