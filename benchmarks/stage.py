"""Where programs are measured: a temporary folder, a clean environment, and the commands as people type them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.process import Process, Usage
from benchmarks.servers import Canned, canned, valkey
from benchmarks.sizes import Sizes
from benchmarks.workload import Workload

#: Seconds that any one process may take beside what its size accounts for.
PATIENCE = 120.0
_KEYS = ("RETOUCH_", "GEMINI_", "GOOGLE_")
#: A port that nobody listens on: commands that need no API must not reach one.
NO_API = "http://127.0.0.1:9"


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """*environment* without keys, settings and proxies."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(_KEYS) and "proxy" not in name.lower()
    }


@dataclass(frozen=True)
class Submitted:
    """What a submitted job took: wall from the start of ``submit`` to the end of ``watch``, CPU of ``submit``."""

    wall: float
    cpu: float


class Stage:
    """A temporary folder and the commands that are run in it."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder = folder
        self.sizes = sizes
        self.workload = Workload(folder)
        self._names = 0

    def environment(self, url: str = NO_API, redis: str = "") -> dict[str, str]:
        """The environment of a program that finds the API at *url*."""
        return clean(os.environ) | {
            "GEMINI_API_KEY": "benchmark",
            "GOOGLE_GEMINI_BASE_URL": url,
            "RETOUCH_DOTENV": "",
            "RETOUCH_STORE": str(self.folder / "store"),
            "RETOUCH_REDIS_URL": redis or "redis://127.0.0.1:9/0",
        }

    def server(self, latency: float | str = 0) -> AbstractContextManager[Canned]:
        """A canned emulator, as a context manager."""
        return canned(self.folder, self.environment(), latency)

    def valkey(self) -> AbstractContextManager[str]:
        """An embedded Redis-compatible server, as a context manager."""
        return valkey(self.folder)

    def start(
        self, command: list[str], *, url: str = NO_API, redis: str = "", name: str = "process"
    ) -> Process:
        """*command* in the background."""
        self._names += 1
        return Process(
            command,
            environment=self.environment(url, redis),
            folder=self.folder,
            name=f"{name}-{self._names}",
        )

    def run(
        self,
        command: list[str],
        *,
        url: str = NO_API,
        redis: str = "",
        seconds: float = PATIENCE,
        codes: tuple[int, ...] = (0,),
        name: str = "process",
    ) -> Usage:
        """*command* to its end.

        Raises:
            BenchmarkError: it ended otherwise than by one of *codes*, or took more than *seconds*.
        """
        with self.start(command, url=url, redis=redis, name=name) as process:
            usage = process.wait(seconds)
            if usage.code not in codes:
                raise BenchmarkError(f"{process.name} ended with {usage.code}: {process.said()}")
        return usage

    def retouch_run(
        self, manifest: Path, rows: int, *, url: str, slots: int, seconds: float = PATIENCE
    ) -> Usage:
        """``retouch run`` of a whole manifest, all of whose rows must be done."""
        with self.out() as out:
            words = ["run", str(manifest), *job_options(out, slots)]
            usage = self.run(retouch(*words), url=url, seconds=seconds, codes=(0, 1, 3), name="run")
        must_be_done(usage.output, rows)
        return usage

    def submitted(
        self, manifest: Path, rows: int, *, redis: str, url: str, slots: int, seconds: float = PATIENCE
    ) -> Submitted:
        """``retouch submit`` and ``retouch watch`` of a whole manifest, all of whose rows must be done.

        Watching is what ends it, and costs none of the CPU that is counted: it is for people to look at.
        """
        with self.out() as out:
            began = time.perf_counter()
            words = ["submit", str(manifest), *job_options(out, slots)]
            submit = self.run(retouch(*words), seconds=seconds, url=url, redis=redis, name="submit")
            words = ["watch", json.loads(submit.output)["job"], "--json"]
            ends = (0, 1, 3)
            watch = self.run(retouch(*words), seconds=seconds, codes=ends, url=url, redis=redis, name="watch")
            wall = time.perf_counter() - began
        must_be_done(watch.output, rows)
        return Submitted(wall, submit.cpu)

    @contextmanager
    def worker(self, *, redis: str, url: str, slots: int) -> Iterator[Process]:
        """A ``retouch worker`` that has done a job already: its start is over."""
        command = retouch("worker", "--max-in-flight", str(slots))
        with self.start(command, url=url, redis=redis, name="worker") as process:
            # Two rows: of equal manifests that are submitted within a second, jobs have one id.
            self.submitted(self.workload.manifest(2), 2, redis=redis, url=url, slots=slots)
            yield process

    @contextmanager
    def out(self) -> Iterator[Path]:
        """A new folder for results, gone with the block."""
        self._names += 1
        folder = self.folder / f"out-{self._names}"
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def retouch(*words: str) -> list[str]:
    """The command line of ``retouch`` *words*."""
    return [sys.executable, "-m", "jobs", *words]


def job_options(out: Path, slots: int) -> list[str]:
    """Options of every measured job."""
    return ["--out", str(out), "--max-in-flight", str(slots), "--yes", "--json"]


def must_be_done(status: str, rows: int) -> None:
    """See that a status object says that every row is done.

    Raises:
        BenchmarkError: it does not.
    """
    try:
        outcomes = json.loads(status)["outcomes"]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchmarkError(f"no status object was printed, but {status[:200]!r}") from error
    if outcomes["done"] != rows:
        raise BenchmarkError(f"of {rows} rows not all are done: {outcomes}")


def must_be_answered(server: Canned, calls: int) -> dict[str, Any]:
    """The summary of *server*, which must have answered *calls* and no more.

    Raises:
        BenchmarkError: it has not.
    """
    summary = server.summary()
    if not summary["calls"] == summary["answered"] == calls:
        raise BenchmarkError(
            f"{summary['calls']} calls came and {summary['answered']} were answered, not {calls}"
        )
    return summary
