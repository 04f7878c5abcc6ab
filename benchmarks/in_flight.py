"""A thousand calls in flight in one process: how much memory, and does it grow with the job."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Bound, Figure, Result
from benchmarks.stage import PATIENCE, Stage, job_options, must_be_answered, must_be_done, retouch

#: Seconds after which a stored picture is removed: a job of ten thousand would fill 20 GB.
_KEPT = 5.0
#: What counts as flat: memory that a larger job takes beside a smaller one.
_FLAT = 1.10


def in_flight(stage: Stage) -> Result:
    """Peak memory of ``retouch run`` with many slots, over a smaller and a larger job."""
    sizes = stage.sizes
    result = Result(
        "in flight",
        f"`retouch run --max-in-flight {sizes.many_slots}`, every answer after {sizes.many_latency:g} s, every "
        "picture verified and stored. Stored pictures are removed five seconds later, to spare the disk; retouch "
        "does not look at them again.",
    )
    few, many = (_job(stage, calls) for calls in sizes.many_calls)
    for calls, took in zip(sizes.many_calls, (few, many), strict=True):
        name = f"peak memory, {sizes.many_slots:,} slots, {calls:,} calls"
        note = f"{took.in_flight:,} in flight at the server at most"
        result.figures.append(Figure(name, (took.peak,), "MB", Bound(400), note))
        result.notes.append(
            f"{calls:,} calls: {took.wall:.0f} s, {1000 * took.cpu / calls:.1f} ms of CPU each"
        )
    name = f"peak memory, {sizes.many_calls[1]:,} calls against {sizes.many_calls[0]:,}"
    result.figures.append(Figure(name, (many.peak / few.peak,), "x", Bound(_FLAT)))
    return result


@dataclass(frozen=True)
class _Took:
    peak: float
    wall: float
    cpu: float
    in_flight: int


def _job(stage: Stage, calls: int) -> _Took:
    sizes = stage.sizes
    seconds = PATIENCE + calls / 5 + 2 * sizes.many_latency * (1 + calls / sizes.many_slots)
    manifest = stage.workload.manifest(calls)
    with stage.server(sizes.many_latency) as server, stage.out() as out, _removing(out / "images"):
        words = ["run", str(manifest), *job_options(out, sizes.many_slots)]
        usage = stage.run(retouch(*words), url=server.url, seconds=seconds, codes=(0, 1, 3), name="run")
        must_be_done(usage.output, calls)
        summary = must_be_answered(server, calls)
    return _Took(usage.peak, usage.wall, usage.cpu, summary["max_in_flight"])


@contextmanager
def _removing(folder: Path) -> Iterator[None]:
    """Remove what has lain in *folder* for a while, as long as the block lasts."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(1.0):
            before = time.time() - _KEPT
            with suppress(FileNotFoundError):
                for path in folder.iterdir():
                    if path.stat().st_mtime < before:
                        path.unlink()

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
