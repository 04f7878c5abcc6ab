"""A process and what it used: wall, CPU of its tree, peak memory."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from benchmarks.errors import BenchmarkError

#: Seconds between two looks at the memory of a process. The kernel keeps the peak, so only the end can be missed.
_EVERY = 0.02
#: Seconds between two looks for children.
_CHILDREN_EVERY = 0.5
#: Seconds that a process has to end after SIGTERM.
_PATIENCE = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process used from its start to its end.

    Attributes:
        code: its exit code, negative for a signal.
        started: when it was started, since the epoch.
        wall: seconds until it had ended.
        cpu: seconds, user and system, of itself and of every child that it waited for.
        peak: megabytes (10^6) of resident memory at most; of a tree, the sum of the peaks.
    """

    code: int
    started: float
    wall: float
    cpu: float
    peak: float
    output: str


class Process:
    """A command in a process of its own; it is ended with the ``with`` if it has not ended by itself.

    The peak is VmHWM of ``/proc``, which begins anew with the program: ``ru_maxrss`` begins at the size of the
    process that started it, which is this one.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, name: str
    ) -> None:
        self._output, self._log = folder / f"{name}.out", folder / f"{name}.log"
        self.name = name
        self._peaks: dict[int, int] = {}
        self._ended = threading.Event()
        self._usage: Usage | None = None
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self.started, self._began = time.time(), time.perf_counter()
            self._popen = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )
        self._watcher = threading.Thread(target=self._watch, name=f"watch-{name}", daemon=True)
        self._watcher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def cpu(self) -> float:
        """CPU seconds so far, of itself and of every child that it waited for."""
        text = Path(f"/proc/{self.pid}/stat").read_text()
        return sum(map(int, text.rpartition(")")[2].split()[11:15])) / _TICKS

    def wait(self, seconds: float) -> Usage:
        """What it used, once it has ended.

        Raises:
            BenchmarkError: it did not end within *seconds*; it is killed.
        """
        if not self._ended.wait(seconds):
            self.kill()
            raise BenchmarkError(f"{self.name} did not end within {seconds:.0f} s: {self.said()}")
        assert self._usage is not None
        return self._usage

    def stop(self) -> Usage:
        """End it in order, or else by force."""
        if not self._ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        if not self._ended.wait(_PATIENCE):
            self.kill()
        return self.wait(_PATIENCE)

    def first_line(self, seconds: float) -> str:
        """The first line that it printed.

        Raises:
            BenchmarkError: it ended, or *seconds* passed, before there was one.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ended:
            line, newline, _ = self._output.read_text().partition("\n")
            if newline:
                return line
            time.sleep(0.02)
        raise BenchmarkError(f"{self.name} did not come up: {self.said()}")

    def said(self) -> str:
        """The last of what it wrote to standard error."""
        text = self._log.read_text(errors="replace").strip() or self._output.read_text(errors="replace")
        return text[-600:] or "it said nothing"

    def kill(self) -> None:
        """End it at once."""
        # The group of the session that this process was started in: itself and its children, nobody else.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._ended.wait(_PATIENCE)

    def _watch(self) -> None:
        descriptor = os.pidfd_open(self.pid)
        try:
            self._sample_until(descriptor)
        finally:
            os.close(descriptor)
        wall = time.perf_counter() - self._began
        _, status, used = os.wait4(self.pid, 0)
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        self._usage = Usage(
            code=self._popen.returncode,
            started=self.started,
            wall=wall,
            cpu=used.ru_utime + used.ru_stime,
            peak=sum(self._peaks.values()) * 1024 / 1e6,
            output=self._output.read_text(errors="replace"),
        )
        self._ended.set()

    def _sample_until(self, descriptor: int) -> None:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        tree, look = [self.pid], 0.0
        while not waiting.poll(_EVERY * 1000):
            for pid in tree:
                self._peaks[pid] = max(self._peaks.get(pid, 0), _peak_kib(pid))
            if time.monotonic() > look:
                tree, look = _tree(self.pid), time.monotonic() + _CHILDREN_EVERY


def _tree(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return [pid]


def _peak_kib(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0  # gone, or a zombie
