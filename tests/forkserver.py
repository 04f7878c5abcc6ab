"""``retouch`` as a process of its own, forked off one that has imported the program already.

Importing it is nearly all that a command costs here, 0.35 of 0.4 s of a processor, and tests type hundreds. What is
forked is as any process: its pid, folder, environment, standard streams and exit code are its own, and signals end it
as they end others. The installed command itself is what ``tests/e2e/test_docs_followed.py`` types.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

_LENGTH = struct.Struct("!I")
#: Not imported beforehand: what does something as soon as it is imported.
_LEFT_OUT = ("workers.flower",)


class Command:
    """``retouch`` *words* as a process; as :class:`subprocess.Popen` has it, with its output in files."""

    def __init__(
        self, words: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str = ""
    ) -> None:
        self.words = words
        self.returncode: int | None = None
        files = ExitStack()
        weakref.finalize(self, files.close)
        self._out = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is one
        self._err = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        told, telling = os.pipe()
        self._said = files.enter_context(io.FileIO(told))
        with open(telling, "wb") as told_by, tempfile.TemporaryFile() as given:
            given.write(stdin.encode())
            given.seek(0)
            request = {"words": words, "folder": str(folder), "environment": dict(environment)}
            start().send(request, [file.fileno() for file in (given, self._out, self._err, told_by)])
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        """The exit code, negative for a signal; ``None`` while it goes on."""
        if self.returncode is None and select.select([self._said], [], [], 0)[0]:
            self.returncode = int(self._said.readline())
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code."""
        if self.returncode is None:
            select.select([self._said], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(list(self.words), timeout or 0.0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it has written."""
        self.wait(timeout)
        return self.out, self.err

    def to_its_end(self, timeout: float = 100.0) -> tuple[str, str]:
        """Wait for its end, and end it if it does not come in time; what it has written."""
        try:
            return self.communicate(timeout)
        finally:
            self.kill()

    @property
    def out(self) -> str:
        """What it has written so far to standard output."""
        return _text(self._out)

    @property
    def err(self) -> str:
        """What it has written so far to standard error."""
        return _text(self._err)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _text(file: IO[bytes]) -> str:
    # Its place in the file is shared with the process that writes.
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()


class _Server:
    """The process that has imported the program."""

    def __init__(self) -> None:
        self._one_by_one = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forkserver"], stdin=theirs, cwd=Path(__file__).parents[1]
            )
        atexit.register(self._end)

    def send(self, request: object, files: list[int]) -> None:
        data = json.dumps(request).encode()
        with self._one_by_one:
            socket.send_fds(self._socket, [_LENGTH.pack(len(data))], files)
            self._socket.sendall(data)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()


@functools.cache
def start() -> _Server:
    """Start it, if it is not there yet."""
    return _Server()


def _import_everything() -> None:
    for name in ("pipeline", "workers", "jobs"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__") and module.name not in _LEFT_OUT:
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _serve(requests: socket.socket) -> bool:
    """Fork a process for each request; whether this is such a process."""
    watchers: set[int] = set()
    while True:
        length, files, _, _ = socket.recv_fds(requests, _LENGTH.size, 4)
        watchers -= set(_ended())
        if not length:
            break
        request = json.loads(requests.recv(_LENGTH.unpack(length)[0], socket.MSG_WAITALL))
        if (pid := os.fork()) == 0:
            requests.close()
            return _watch(request, files)
        watchers.add(pid)
        for file in files:
            os.close(file)
    # Even of tests that are killed nothing is left behind.
    for pid in watchers:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    return False


def _ended() -> Iterator[int]:
    """Watchers that have ended; ``time make test`` counts what they and theirs have used."""
    with suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            yield pid


def _watch(request: dict[str, Any], files: list[int]) -> bool:
    """Fork the process itself, and tell how it ends; whether this is it."""
    *streams, telling = files
    # Ctrl-C in the terminal that runs the tests is the tests' to handle.
    os.setsid()
    if (pid := os.fork()) == 0:
        os.close(telling)
        _become(request, streams)
        return True
    for file in (0, *streams):
        os.close(file)
    os.write(telling, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(telling, b"%d\n" % os.waitstatus_to_exitcode(status))
    return False


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Make this process what a new one would be."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if "LD_PRELOAD" in os.environ:
        os.execv(sys.executable, [sys.executable, "-m", "jobs", *request["words"]])
    time.tzset()
    # It reads its variables once.
    importlib.reload(sys.modules["pipeline.failpoints"])
    sys.argv = ["retouch", *request["words"]]
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)), "utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), "utf-8")
    said = io.BufferedWriter(io.FileIO(2, "w"))
    sys.stderr = io.TextIOWrapper(said, "utf-8", "backslashreplace", line_buffering=True)


if __name__ == "__main__":
    os.setsid()
    _import_everything()
    if _serve(socket.socket(fileno=os.dup(0))):
        runpy.run_module("jobs", run_name="__main__")
    else:
        os._exit(0)
