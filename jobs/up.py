"""``retouch up``: the whole stack on one machine, as processes of one command.

A Redis-compatible server that keeps its data on disk, a worker and a scheduler. One that dies is started again, a
little later each time; one that dies again and again ends the stack. At the end the scheduler goes first, then the
worker, when its calls in flight have finished, and last the server, which writes what it has.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from jobs import environment, output
from jobs.children import Child, answers, redis_server, retouch
from jobs.exits import INTERRUPTED
from jobs.schedule.book import Book
from jobs.standing import registry
from pipeline.errors import BrokerError, JobError, UsageError
from pipeline.gemini.access import access
from pipeline.job.runlock import file_lock
from workers.shared.schedules import Schedules
from workers.shared.status import workers_alive
from workers.submitting import redis_at

log = logging.getLogger("retouch.up")

#: Where the server's data are, below the store's folder.
DATA = ".retouch/redis"
_HERE = ("localhost", "127.0.0.1", "::1")

#: Seconds between two looks at the children; until all should be at work; that all but the worker may take to end.
_LOOK, _READY, _END = 0.1, 60.0, 15.0
#: Seconds before a child is started again, the longest; after which its earlier deaths are forgotten; how many in a
#: row are too many.
_FIRST, _LONGEST, _STEADY, _TOO_MANY = 1.0, 30.0, 60.0, 5


def up(*, max_in_flight: int) -> int:
    """Run the stack until told to end; the exit code: 0, 130 by Ctrl-C, 1 when a part of it could not be kept up."""
    access()
    port = _port(environment.redis_url())
    data = _data_folder()
    holder = f"{data}: the stack of this store is up already, by {{}}; end it with Ctrl-C there"
    with file_lock(data / "up.lock", holder.format):
        _check_port(port)
        stack = Stack(environment.redis_url())
        return stack.run(data, port, max_in_flight)


@dataclass
class Part:
    """A child that is kept up.

    Attributes:
        start: starts it.
        deaths: how often in a row it has died soon.
        due: when it is started again; ``None`` while it runs.
    """

    name: str
    start: Callable[[], Child]
    child: Child | None = None
    deaths: int = 0
    due: float | None = 0.0
    started: float = 0.0

    def look(self, now: float) -> None:
        """Start it when that is due, and notice its end."""
        if self.child is not None and self.child.code is not None:
            self.deaths = 1 if now - self.started >= _STEADY else self.deaths + 1
            self.due = now + pause(self.deaths)
            log.warning(
                "part_died part=%s code=%s, again in %.0f s", self.name, self.child.code, self.due - now
            )
            output.say(f"The {self.name} has ended ({ending(self.child.code)}); it is started again.")
            self.child = None
        if self.child is None and self.due is not None and self.due <= now and not self.lost:
            self.child, self.due, self.started = self.start(), None, now

    @property
    def lost(self) -> bool:
        """Whether it cannot be kept up."""
        return self.deaths >= _TOO_MANY


@dataclass
class Stack:
    """The parts, in the order in which they are started."""

    url: str
    parts: list[Part] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def run(self, data: Path, port: int, slots: int) -> int:
        """Keep everything up until told to end; the exit code."""
        words = dict(os.environ) | {"RETOUCH_REDIS_URL": self.url} | _verbosity()
        self.parts = [
            Part("server", lambda: Child("server", redis_server(data, port), words)),
            Part("worker", lambda: Child("worker", retouch("worker", "--max-in-flight", str(slots)), words)),
            # A port for metrics is the worker's; whether the scheduler lives is seen here.
            Part(
                "scheduler",
                lambda: Child("scheduler", retouch("scheduler"), words | {"RETOUCH_METRICS_PORT": ""}),
            ),
        ]
        with self._signals():
            try:
                self._keep_up(data)
            finally:
                clean = self._end()
        if any(part.lost for part in self.parts) or not clean:
            return 1
        return INTERRUPTED if self.told == [signal.SIGINT] else 0

    def _keep_up(self, data: Path) -> None:
        server = self.parts[0]
        server.look(time.monotonic())
        if server.child is None or not answers(self.url, server.child):
            server.deaths = _TOO_MANY
            output.say(f"The server did not start: see {data / 'server.log'}.")
            return
        ready = False
        since = time.monotonic()
        while not self.told:
            for part in self.parts:
                part.look(time.monotonic())
                if part.lost:
                    output.say(
                        f"The {part.name} cannot be kept up: its last words are above. The stack ends."
                    )
                    return
            if not ready:
                ready = self._told_of(data, time.monotonic() - since)
            time.sleep(_LOOK)

    def _told_of(self, data: Path, waited: float) -> bool:
        """Say that everything is up, or that it is not; whether either was said."""
        if asyncio.run(self._at_work()):
            self._tell(data)
            return True
        if waited > _READY:
            output.say(
                f"Worker and scheduler are not both at work after {waited:.0f} s: `retouch doctor` says why."
            )
        return waited > _READY

    async def _at_work(self) -> bool:
        try:
            async with redis_at(self.url) as redis:
                book = Book(registry())
                return (
                    bool(await workers_alive(redis))
                    and await Schedules(redis, book.store.url).scheduler_there()
                )
        except BrokerError:
            return False

    def _tell(self, data: Path) -> None:
        set_ = "" if self.url == environment.DEFAULT_REDIS_URL else f"RETOUCH_REDIS_URL={self.url} "
        for line in (
            f"Up: a server at {self.url} (its data: {data}), a worker, a scheduler.",
            f"In another terminal: {set_}retouch submit MANIFEST",
            "Ctrl-C ends all of it in order: calls in flight are let finish.",
        ):
            output.say(line)

    def _end(self) -> bool:
        """End the parts, the server last; whether all ended as they should."""
        running = {part.name: part.child for part in self.parts if part.child is not None}
        for name, child in running.items():
            # The worker at once, too: it begins no new call from here on.
            if name != "server":
                child.tell()
        codes = {}
        if "scheduler" in running:
            codes["scheduler"] = running["scheduler"].wait(_END)
        if "worker" in running:
            codes["worker"] = self._worker_ends(running["worker"])
        if "server" in running:
            codes["server"] = running["server"].end(_END)
        # Told before it could listen, a part is ended by the signal itself, and has begun nothing.
        codes = {name: 0 if code == -signal.SIGTERM else code for name, code in codes.items()}
        for name, code in codes.items():
            if code != 0:
                output.say(f"The {name} did not end in order ({ending(code)}).")
        return not any(codes.values())

    def _worker_ends(self, worker: Child) -> int:
        """It has a grace of its own; told once more, it ends at once."""
        heeded = 1
        while worker.code is None:
            if len(self.told) > heeded:
                heeded = len(self.told)
                worker.tell()
            time.sleep(_LOOK)
        return worker.code

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def on_signal(number: int, _frame: FrameType | None) -> None:
            if not self.told:
                output.say("Ending: calls in flight are let finish; once more ends at once.")
            self.told.append(number)

        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def pause(deaths: int) -> float:
    """Seconds before a part is started again that has died so often in a row."""
    return min(_LONGEST, _FIRST * 2.0 ** (deaths - 1))


def ending(code: int) -> str:
    """An exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _port(url: str) -> int:
    """The port of a server on this machine.

    Raises:
        UsageError: *url* is not that of a server that could be started here.
    """
    parts = urlsplit(url)
    if parts.scheme != "redis" or parts.hostname not in _HERE or parts.password:
        raise UsageError(
            f"RETOUCH_REDIS_URL names {parts.hostname or 'no machine'}: `retouch up` starts a server of its own "
            "on this machine, without a password; unset it, or say redis://localhost:PORT/0"
        )
    return parts.port or 6379


def _check_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(
                f"port {port} of this machine is in use ({error.strerror}): if that is a Redis, start "
                f"`retouch worker` and `retouch scheduler` on it; else choose a port for all commands: "
                f"RETOUCH_REDIS_URL=redis://localhost:{port + 1}/0"
            ) from error


def _data_folder() -> Path:
    """Where the server keeps its data: beside a store on this machine.

    Raises:
        JobError: the folder cannot be made.
    """
    store = registry()
    if store.folder is None:
        raise UsageError(
            f"{store.url} is no folder of this machine, where the server could keep its data: start a Redis, "
            "`retouch worker` and `retouch scheduler`"
        )
    data = store.folder / DATA
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"{data}: cannot be made ({error.strerror}); choose another RETOUCH_STORE") from error
    return data


def _verbosity() -> dict[str, str]:
    level = logging.getLogger("retouch").getEffectiveLevel()
    return {
        **({"RETOUCH_VERBOSE": "1"} if level <= logging.INFO else {}),
        **({"RETOUCH_DEBUG": "1"} if level <= logging.DEBUG else {}),
    }
