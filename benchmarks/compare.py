"""The same edits by retouch, by a plain google-genai script, and by the bare transport, in turn."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rivals
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result, Table, pairs
from benchmarks.process import Usage
from benchmarks.servers import Canned
from benchmarks.stage import PATIENCE, Stage, must_be_answered

ABOUT = (
    "Pictures of 1 MB in, answers of 2.6 MB out, no latency. Each subject does a job of one row and then the whole "
    "job; rate and CPU are those of the rows between the two, so that nobody's start counts. The subjects take "
    "turns, and ratios are taken round by round. Rate is by wall to the end, results and report included; the "
    "server is a process of its own, whose CPU is not theirs."
)
_RIVALS = Path(rivals.__file__).parent
#: Runs a script as if aiohttp were not installed; it is here because retouch needs it.
_WITHOUT_AIOHTTP = """
import runpy, sys
sys.modules["aiohttp"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
#: As ``pip install google-genai pillow`` leaves it, and as it is where aiohttp is installed too: it takes that then.
SCRIPT = "google-genai script"
SCRIPT_AIOHTTP = "google-genai script with aiohttp"
FLOOR = "bare transport"


@dataclass(frozen=True)
class Measured:
    """One subject in one round.

    Attributes:
        rate: calls a second.
        cpu: milliseconds of CPU a call, user and system.
        peak: megabytes of memory at most.
        start: seconds of a job of one row.
        server: milliseconds of the server's CPU a call.
    """

    rate: float
    cpu: float
    peak: float
    start: float
    server: float


def measured(
    one: tuple[float, float], all_: tuple[float, float], calls: int, peak: float, server: float
) -> Measured:
    """From wall and CPU seconds of a job of one row and of one of *calls* rows.

    Raises:
        BenchmarkError: the larger job was not slower.
    """
    wall, cpu = all_[0] - one[0], all_[1] - one[1]
    if wall <= 0:
        raise BenchmarkError(f"{calls} calls took no longer than one: measure more")
    return Measured((calls - 1) / wall, 1000 * cpu / (calls - 1), peak, one[0], 1000 * server / calls)


def compare(stage: Stage) -> Result:
    """Calls a second, CPU a call and peak memory of every subject."""
    result = Result("compare", ABOUT)
    rounds: dict[str, list[Measured]] = {name: [] for name in SUBJECTS}
    with stage.server() as server, stage.valkey() as redis:
        scene = Scene(stage, server, redis)
        for _ in range(stage.sizes.rounds):
            for name in list(rounds):
                try:
                    rounds[name].append(SUBJECTS[name](scene))
                except BenchmarkError as error:
                    result.failed.append(f"{name}: {error}")
                    del rounds[name]
    result.tables.append(_table(rounds))
    for theirs in (SCRIPT, SCRIPT_AIOHTTP):
        for ours in ("retouch run", "retouch worker"):
            if ours in rounds and theirs in rounds:
                against = f"{ours} against the {theirs}"
                result.figures += _figures(against, rounds[ours], rounds[theirs], stage.sizes.slots)
    if "retouch run" in rounds and FLOOR in rounds:
        cpu = pairs([m.cpu for m in rounds["retouch run"]], [m.cpu for m in rounds[FLOOR]])
        result.figures.append(Figure("CPU per call, retouch run against the bare transport", cpu, "x"))
    return result


@dataclass(frozen=True)
class Scene:
    """What every subject is given."""

    stage: Stage
    server: Canned
    redis: str

    def ratings(self, job: Callable[[Path, int], Usage]) -> Measured:
        """Measure a program that does one job and ends."""
        workload, calls = self.stage.workload, self.stage.sizes.calls
        one = job(workload.manifest(1), 1)
        manifest = workload.manifest(calls)
        with self.counted(calls) as server:
            all_ = job(manifest, calls)
        return measured((one.wall, one.cpu), (all_.wall, all_.cpu), calls, all_.peak, server.cpu)

    def counted(self, calls: int) -> AbstractContextManager[_ServerCpu]:
        """The server's CPU over a block in which it must answer *calls*."""
        return _ServerCpu(self.server, calls)


class _ServerCpu(AbstractContextManager["_ServerCpu"]):
    def __init__(self, server: Canned, calls: int) -> None:
        self._server, self._calls = server, calls
        self.cpu = 0.0

    def __enter__(self) -> _ServerCpu:
        self._server.reset()
        self._before = self._server.summary()["cpu_seconds"]
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.cpu = must_be_answered(self._server, self._calls)["cpu_seconds"] - self._before


def _run(scene: Scene) -> Measured:
    slots = scene.stage.sizes.slots
    return scene.ratings(
        lambda manifest, rows: scene.stage.retouch_run(
            manifest, rows, url=scene.server.url, slots=slots, seconds=_seconds(rows)
        )
    )


def _worker(scene: Scene) -> Measured:
    """A worker that is there already; what ``submit`` costs counts as its own."""
    stage, calls, slots = scene.stage, scene.stage.sizes.calls, scene.stage.sizes.slots
    with stage.worker(redis=scene.redis, url=scene.server.url, slots=slots) as worker:

        def job(rows: int) -> tuple[float, float]:
            before, manifest = worker.cpu(), stage.workload.manifest(rows)
            took = stage.submitted(
                manifest, rows, redis=scene.redis, url=scene.server.url, slots=slots, seconds=_seconds(rows)
            )
            return took.wall, took.cpu + worker.cpu() - before

        one = job(1)
        with scene.counted(calls) as server:
            all_ = job(calls)
        peak = worker.stop().peak
    return measured(one, all_, calls, peak, server.cpu)


def _script(scene: Scene) -> Measured:
    return _genai(scene, [sys.executable, "-c", _WITHOUT_AIOHTTP])


def _script_aiohttp(scene: Scene) -> Measured:
    return _genai(scene, [sys.executable])


def _genai(scene: Scene, python: list[str]) -> Measured:
    def job(manifest: Path, rows: int) -> Usage:
        with scene.stage.out() as out:
            return _rival(scene, [*python, str(_RIVALS / "genai_script.py")], manifest, rows, str(out))

    return scene.ratings(job)


def _floor(scene: Scene) -> Measured:
    command = [sys.executable, str(_RIVALS / "floor.py")]
    return scene.ratings(lambda manifest, rows: _rival(scene, command, manifest, rows))


def _rival(scene: Scene, command: list[str], manifest: Path, rows: int, *more: str) -> Usage:
    words = [str(manifest), scene.server.url, str(scene.stage.sizes.slots), *more]
    return scene.stage.run([*command, *words], url=scene.server.url, seconds=_seconds(rows), name="rival")


#: In the order of their turns.
SUBJECTS: dict[str, Callable[[Scene], Measured]] = {
    "retouch run": _run,
    "retouch worker": _worker,
    SCRIPT: _script,
    SCRIPT_AIOHTTP: _script_aiohttp,
    FLOOR: _floor,
}


def _seconds(rows: int) -> float:
    return PATIENCE + rows


def _figures(against: str, ours: list[Measured], script: list[Measured], slots: int) -> list[Figure]:
    def ratio(of: Callable[[Measured], float]) -> tuple[float, ...]:
        return pairs(list(map(of, ours)), list(map(of, script)))

    return [
        Figure(f"calls a second, {against}", ratio(lambda m: m.rate), "x", Bound(2.0, least=True)),
        Figure(f"CPU per call, {against}", ratio(lambda m: m.cpu), "x", Bound(0.7)),
        Figure(f"peak memory at {slots} in flight, {against}", ratio(lambda m: m.peak), "x", Bound(0.25)),
    ]


def _table(rounds: dict[str, list[Measured]]) -> Table:
    header = ("", "calls/s", "CPU ms/call", "peak MB", "job of one row, s", "server's CPU ms/call")

    def row(name: str, of: list[Measured]) -> tuple[str, ...]:
        def median(value: Callable[[Measured], float]) -> float:
            return statistics.median(map(value, of))

        return (
            name,
            f"{median(lambda m: m.rate):.1f}",
            f"{median(lambda m: m.cpu):.1f}",
            f"{median(lambda m: m.peak):.0f}",
            f"{median(lambda m: m.start):.2f}",
            f"{median(lambda m: m.server):.2f}",
        )

    return Table(header, tuple(row(name, of) for name, of in rounds.items() if of))
