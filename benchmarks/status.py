"""What it costs to ask how a job of a million rows stands: counted, not timed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from benchmarks import rivals
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result
from benchmarks.process import Process
from benchmarks.servers import Commands
from benchmarks.stage import PATIENCE, Stage, job_options, retouch
from pipeline.job.runlock import LOCK

ABOUT = (
    "Jobs of prompts without pictures. The commands are those that an embedded Redis-compatible server counts while "
    "`retouch status JOB` runs, the greeting of each connection left out; the reads are the files that it opens or "
    "lists anywhere in the store and the job's folder, missing ones included. The lock of a `run` is no read: the "
    "kernel is asked whether somebody holds it. Asked of a job that was submitted and that no worker has begun, and "
    "of one that a `retouch run` is at work on; and of a small one, which must cost as much."
)
_OPENS = Path(rivals.__file__).with_name("opens.py")
_LOCK = Path(LOCK).name
#: Seconds of each call of the ``run`` that is asked about: it hangs on its first, while it goes on planning.
_HANGING = 3_600


def status(stage: Stage) -> Result:
    """Commands and reads of ``retouch status``, for a large job and a small one."""
    result = Result("status", ABOUT)
    few, many = stage.sizes.few_rows, stage.sizes.rows
    with stage.valkey() as redis:
        small, large = (_of_submitted(stage, redis, rows, result) for rows in (few, many))
    _judge(result, f"`status` of a submitted job of {many:,} rows", large, small)
    with stage.server(_HANGING) as server:
        small, large = (_of_run(stage, server.url, rows) for rows in (few, many))
    _judge(result, f"`status` of a run of {many:,} rows", large, small)
    return result


class _Cost:
    """Commands to Redis by name, and the names of the files that were read."""

    def __init__(self, commands: Mapping[str, int], reads: list[str]) -> None:
        self.commands, self.reads = commands, reads

    @property
    def sizes(self) -> tuple[int, int]:
        return sum(self.commands.values()), len(self.reads)

    def __str__(self) -> str:
        commands = ", ".join(f"{calls} {name}" for name, calls in sorted(self.commands.items()))
        return f"{commands or 'no command'}; {', '.join(self.reads) or 'no read'}"


def _judge(result: Result, name: str, large: _Cost, small: _Cost) -> None:
    commands, reads = large.sizes
    if commands:
        result.figures.append(Figure(f"{name}: Redis commands", (commands,), "", Bound(3)))
    result.figures.append(Figure(f"{name}: files read", (reads,), "", Bound(2)))
    more = sum(large.sizes) - sum(small.sizes)
    result.figures.append(Figure(f"{name}: what it costs beside a small one", (more,), "", Bound(0)))
    result.notes.append(f"{name}: {large}")


def _of_submitted(stage: Stage, redis: str, rows: int, result: Result) -> _Cost:
    manifest = stage.workload.prompts(rows)
    with stage.out() as out:
        words = ["submit", str(manifest), *job_options(out, stage.sizes.slots)]
        usage = stage.run(retouch(*words), redis=redis, seconds=_patience(rows), name="submit")
        if rows == stage.sizes.rows:
            name = f"`submit` of {rows:,} rows: peak memory"
            result.figures.append(Figure(name, (usage.peak,), "MB", Bound(250), f"{usage.wall:.0f} s"))
        return _asked(stage, json.loads(usage.output)["job"], redis, rows)


def _of_run(stage: Stage, url: str, rows: int) -> _Cost:
    manifest = stage.workload.prompts(rows)
    with stage.out() as out:
        words = ["run", str(manifest), *job_options(out, 1), "--timeout", str(2 * _HANGING)]
        with stage.start(retouch(*words), url=url, name="run") as process:
            cost = _asked(stage, _wait_until_planned(out, process, rows), "", rows)
            process.kill()  # told to end, it would wait for its call
            return cost


def _asked(stage: Stage, job: str, redis: str, rows: int) -> _Cost:
    """Ask once, and see that the answer is of that job.

    Raises:
        BenchmarkError: it is not.
    """
    notes = stage.folder / "opened.json"
    command = [sys.executable, str(_OPENS), str(notes), str(stage.folder), "status", job, "--json"]
    if redis:
        with closing(Commands(redis)) as commands:
            commands.reset()
            usage = stage.run(command, redis=redis, name="status")
            counted = commands.counted()
    else:
        usage, counted = stage.run(command, name="status"), {}
    said = json.loads(usage.output)
    if said["job"] != job or said["rows"] != rows:
        raise BenchmarkError(f"status spoke of another job than {job} of {rows} rows: {usage.output[:200]}")
    opened = [(Path(path).name, read) for path, read in json.loads(notes.read_text())]
    return _Cost(counted, [name for name, read in opened if read and name != _LOCK])


def _wait_until_planned(out: Path, process: Process, rows: int) -> str:
    """The id of the job, once all of its rows are planned and its status says so.

    Raises:
        BenchmarkError: that takes too long, or the process ends.
    """
    end = time.monotonic() + _patience(rows)
    while time.monotonic() < end and not process.ended:
        try:
            said = json.loads((out / "report.json").read_text())
        except FileNotFoundError:
            said = {}
        if said.get("rows") == rows:
            return str(said["job"])
        time.sleep(0.2)
    raise BenchmarkError(f"run has not planned its {rows} rows: {process.said()}")


def _patience(rows: int) -> float:
    return PATIENCE + rows / 1000
