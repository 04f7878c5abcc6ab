"""Processes that are kept running together: one that dies is restarted, after a longer delay each time.

If one dies again and again, the stack ends. At the end the scheduler stops first; then the worker, after its calls in
flight; and last the server, which saves its data.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from jobs import environment, output
from jobs.children import Child, answers
from jobs.exits import INTERRUPTED
from jobs.schedule.book import ScheduleBook
from jobs.standing import registry
from pipeline.errors import BrokerError
from workers.shared.schedules import Schedules
from workers.shared.status import workers_alive
from workers.submitting import redis_at

log = logging.getLogger("retouch.up")

#: Seconds between two checks of the children; until all should be running; for all but the worker to stop.
_LOOK, _READY, _END = 0.1, 60.0, 15.0
#: Seconds before the first restart of a child, and before any at most; after which its earlier deaths are forgotten;
#: how many deaths in a row are too many.
_FIRST, _LONGEST, _STEADY, _TOO_MANY = 1.0, 30.0, 60.0, 5


#: Seconds between two checks that the scheduler ticks; without a sign of life, once it counts as dead, until it is
#: restarted; for it to stop before it is killed.
_LISTEN, _SILENT, _STUCK = 10.0, 60.0, 5.0


@dataclass
class Part:
    """A child process that is kept running.

    Attributes:
        start: starts it.
        deaths: how often in a row it has died soon after its start.
        due: when to start it again; ``None`` while it runs.
        silent: since when it runs without a sign of life.
    """

    name: str
    start: Callable[[], Child]
    child: Child | None = None
    deaths: int = 0
    due: float | None = 0.0
    started: float = 0.0
    silent: float | None = None

    def look(self, now: float) -> None:
        """Notice its end, and start it when that is due."""
        if self.child is not None and self.child.code is not None:
            self.deaths = 1 if now - self.started >= _STEADY else self.deaths + 1
            self.due = now + restart_delay(self.deaths)
            log.warning(
                "part_died part=%s code=%s, restarting in %.0f s", self.name, self.child.code, self.due - now
            )
            output.say(f"The {self.name} has ended ({_ending(self.child.code)}); restarting it.")
            self.child = None
        if self.child is None and self.due is not None and self.due <= now and not self.lost:
            self.child, self.due, self.started = self.start(), None, now

    def heard(self, alive: bool | None, now: float) -> None:
        """Note whether it shows signs of life (``None``: nobody can tell), and end it if it has shown none for long.

        A process that hangs is still there, so :meth:`look` alone would never restart it.
        """
        if alive is not False or self.child is None:
            self.silent = None
            return
        self.silent = now if self.silent is None else self.silent
        if now - self.silent >= _SILENT:
            output.say(f"The {self.name} hangs: no sign of life for more than a minute. Ending it.")
            self.child.end(_STUCK)
            self.silent = None

    @property
    def lost(self) -> bool:
        """Whether it has died too often."""
        return self.deaths >= _TOO_MANY


@dataclass
class Stack:
    """The parts, in the order in which they are started.

    Attributes:
        url: of the server.
        data: where the server keeps its data.
        parts: server, worker and scheduler.
        signals: those received so far that ask this process to end.
    """

    url: str
    data: Path
    parts: list[Part]
    signals: list[int] = field(default_factory=list)

    def run(self) -> int:
        """Keep everything running until told to stop; the exit code: 1 if a part kept failing."""
        with self._signals():
            try:
                self._keep_up()
            finally:
                clean = self._end()
        if any(part.lost for part in self.parts) or not clean:
            return 1
        return INTERRUPTED if self.signals == [signal.SIGINT] else 0

    def _keep_up(self) -> None:
        server = self.parts[0]
        server.look(time.monotonic())
        if server.child is None or not answers(self.url, server.child):
            server.deaths = _TOO_MANY
            output.say(f"The server did not start: see {self.data / 'server.log'}.")
            return
        ready = False
        since = listened = time.monotonic()
        while not self.signals:
            for part in self.parts:
                part.look(time.monotonic())
                if part.lost:
                    output.say(
                        f"The {part.name} keeps failing; its last messages are above. Stopping everything."
                    )
                    return
            if not ready:
                ready = self._announced(time.monotonic() - since)
            if time.monotonic() - listened >= _LISTEN:
                listened = time.monotonic()
                self.parts[-1].heard(asyncio.run(self._scheduler_ticks()), listened)
            time.sleep(_LOOK)

    async def _scheduler_ticks(self) -> bool | None:
        """Whether the scheduler does; ``None`` while Redis cannot say."""
        try:
            async with redis_at(self.url) as redis:
                return await Schedules(redis, ScheduleBook(registry()).store.url).scheduler_there()
        except BrokerError:
            return None

    def _announced(self, waited: float) -> bool:
        """Say that everything is up or, after a while, that it is not; whether either was said."""
        if asyncio.run(self._ready()):
            self._say_how_to_use()
            return True
        if waited > _READY:
            output.say(
                f"Worker and scheduler are not both running after {waited:.0f} s: `retouch doctor` says why."
            )
        return waited > _READY

    async def _ready(self) -> bool:
        try:
            async with redis_at(self.url) as redis:
                return bool(await workers_alive(redis)) and await self._scheduler_ticks() is True
        except BrokerError:
            return False

    def _say_how_to_use(self) -> None:
        set_ = "" if self.url == environment.DEFAULT_REDIS_URL else f"RETOUCH_REDIS_URL={self.url} "
        for line in (
            f"Up: a server at {self.url} (its data: {self.data}), a worker, a scheduler.",
            f"In another terminal: {set_}retouch submit MANIFEST",
            "Ctrl-C stops everything in order, after calls in flight have finished.",
        ):
            output.say(line)

    def _end(self) -> bool:
        """End the parts, the server last; whether all ended as they should."""
        running = {part.name: part.child for part in self.parts if part.child is not None}
        for name, child in running.items():
            # The worker, too: from now on it starts no new calls.
            if name != "server":
                child.tell()
        codes = {}
        if "scheduler" in running:
            codes["scheduler"] = running["scheduler"].wait(_END)
        if "worker" in running:
            codes["worker"] = self._worker_ends(running["worker"])
        if "server" in running:
            codes["server"] = running["server"].end(_END)
        # A part that has not installed its handlers yet is killed by the signal, and has started nothing.
        codes = {name: 0 if code == -signal.SIGTERM else code for name, code in codes.items()}
        for name, code in codes.items():
            if code != 0:
                output.say(f"The {name} did not stop cleanly ({_ending(code)}).")
        return not any(codes.values())

    def _worker_ends(self, worker: Child) -> int:
        """Wait for the worker, which has a grace period of its own; pass on each further signal."""
        passed_on = 1
        while worker.code is None:
            if len(self.signals) > passed_on:
                passed_on = len(self.signals)
                worker.tell()
            time.sleep(_LOOK)
        return worker.code

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def on_signal(number: int, _frame: FrameType | None) -> None:
            if not self.signals:
                output.say("Stopping: waiting for calls in flight; Ctrl-C again ends at once.")
            self.signals.append(number)

        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def restart_delay(deaths: int) -> float:
    """Seconds before a part is restarted that has died *deaths* times in a row."""
    return min(_LONGEST, _FIRST * 2.0 ** (deaths - 1))


def _ending(code: int) -> str:
    """An exit code in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
