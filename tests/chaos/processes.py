"""The processes of a test: each has a log of its own, and none outlives the test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.waiting import until
from tests.forkserver import Command

#: Where there is such a program, even a pytest that is killed leaves no process behind.
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()


class Process:
    """``retouch -v`` *words* in *folder*."""

    def __init__(
        self, name: str, words: tuple[str, ...], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self._child = Command(("-v", *words), folder, environment)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code; negative: the signal that ended it."""
        return self._child.poll()

    @property
    def out(self) -> str:
        return self._child.out

    @property
    def log(self) -> str:
        return self._child.err

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self._child.wait(10)

    def freeze(self) -> None:
        """SIGSTOP, and wait until the kernel says that it stands still."""
        self.signal(signal.SIGSTOP)
        until(lambda: self.frozen, 5, f"{self.name} to stand still")

    @property
    def frozen(self) -> bool:
        """Whether it stands still, or is no more."""
        return self._state() in "TZ"

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def end(self, seconds: float = 30.0) -> int:
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait until it ends by itself; its exit code."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} did not stop cleanly {seconds:g} s:\n{self.log[-3000:]}"
            ) from None

    def _state(self) -> str:
        try:
            # The name in brackets may hold anything; the state follows it.
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return "Z"


class Processes:
    """All processes that a test has started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.all: list[Process] = []

    def start(self, name: str, *words: str, environment: Mapping[str, str]) -> Process:
        process = Process(f"{len(self.all):02d}-{name}", words, self._folder, environment)
        self.all.append(process)
        return process

    def end(self) -> None:
        """Kill what is left; for a test that is over, in whatever way."""
        for process in self.all:
            process.kill()
