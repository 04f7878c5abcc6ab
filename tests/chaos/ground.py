"""The ground of one test: a shop's folder, real processes on it, and the calls that die with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.emulator import Api
from tests.chaos.processes import Process, Processes
from tests.chaos.server import Server
from tests.chaos.waiting import until
from tests.integration.shop import Shop

#: Seconds of a lease; a stalled machine of two cores still renews it.
LEASE = 2.0


class Ground(Shop):
    """A shop whose commands and workers are processes that may be killed.

    Attributes:
        out: the job's folder.
        lost: for each process that was killed, the calls that were in flight then.
    """

    def __init__(self, folder: Path, api: Api, server: Server, redis_url: str, **environment: str) -> None:
        environment = {"RETOUCH_REDIS_URL": redis_url, "RETOUCH_LEASE_SECONDS": str(LEASE), **environment}
        super().__init__(folder, api.url, **environment)
        self.api = api
        self.server = server
        self.processes = Processes(folder)
        self.lost: list[int] = []
        self._guests: list[tuple[Process, int]] = []

    def launch(self, *words: str, **environment: str) -> Process:
        """``retouch`` *words* in the background."""
        return self.processes.start(words[0], *words, environment=self.environment | environment)

    def running(self, *words: str, **environment: str) -> Process:
        """``retouch run`` of the shop's manifest."""
        command = ("run", "shop.csv", "--out", str(self.out), "--json", "--yes")
        return self.launch(*command, *words, **environment)

    def worker(self, slots: int = 8, **environment: str) -> Process:
        """A worker; it is not waited for."""
        return self.launch("worker", "--max-in-flight", str(slots), **environment)

    def submitting(self, *words: str) -> Process:
        """``retouch submit`` of the shop's manifest, in the background."""
        return self.launch("submit", "shop.csv", "--out", str(self.out), "--json", "--yes", *words)

    def submit(self, *words: str) -> str:
        """Submit the shop's manifest; the job's id."""
        process = self.submitting(*words)
        assert process.wait() == 0, process.log
        return self.job_of(process)

    @staticmethod
    def job_of(submitted: Process) -> str:
        """The id that a ``submit`` has printed."""
        return str(json.loads(submitted.out)["job"])

    def receive(self, workers: list[Process]) -> None:
        """Have *workers* that belong to others do the job; what they have said before is none of ours."""
        self._guests = [(worker, len(worker.log)) for worker in workers]

    def said(self) -> Iterator[tuple[str, str]]:
        """The name of each process, and all that it has said here."""
        for process in self.processes.all:
            yield process.name, process.log + process.out
        for guest, before in self._guests:
            yield guest.name, guest.log[before:]

    def manned(self, *workers: Process) -> None:
        """Wait until *workers* are at work."""
        for worker in workers:
            until(lambda worker=worker: "worker_ready" in worker.log or not worker.alive, 30, worker.name)
            assert worker.alive, worker.log

    def status(self, job: str) -> dict[str, Any]:
        """What ``retouch status`` says."""
        done = self.retouch("status", job, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def report(self) -> dict[str, Any]:
        """The status object in the job's folder."""
        return dict(json.loads((self.out / "report.json").read_text()))

    def to_its_end(self, job: str, seconds: float = 60.0) -> float:
        """Wait until the job is finished; the seconds that it took."""
        return until(lambda: self.server.state(job) == "finished", seconds, f"job {job} to finish")

    def kill(self, victim: Process, job: str) -> None:
        """``kill -9`` a worker, and note the calls that were in flight in it."""
        # Frozen first, so that nothing moves between the look and the kill.
        victim.freeze()
        in_flight = len(self.in_flight_in(victim, job))
        victim.kill()
        self.lost.append(in_flight)

    def mourn(self) -> None:
        """Note the calls that were in flight in a ``run`` that was killed, before another one starts."""
        self.lost.append(len(self.in_flight()))

    def calls(self, row: int) -> int:
        """The calls that have come for *row*, by the ledger."""
        return self.api.tokens().get(f"r{row}", {"calls": 0})["calls"]

    def intents(self, shard: int) -> list[str]:
        """The calls that *shard*'s rows were about to make, by the names of their intents."""
        folder = self.out / ".retouch" / "shards" / f"{shard:06d}" / "r1"
        return [path.name for path in folder.glob("*.intent")]

    def folded(self, shard: int) -> bool:
        return (self.out / ".retouch" / "shards" / f"{shard:06d}" / "r1" / "folded").exists()

    def settled(self) -> int:
        """Rows with a record, as the folder has them now."""
        heads = [path.read_text().partition("\n")[0] for path in self.out.glob(".retouch/shards/*/r1/folded")]
        return sum(json.loads(head)["rows"] for head in heads) + sum(
            not (path.parent / "folded").exists() for path in self.out.glob(".retouch/shards/*/r1/*.record")
        )

    def in_flight_in(self, worker: Process, job: str) -> set[int]:
        """:meth:`in_flight`, of the shards that *worker* holds."""
        return self.in_flight({shard for shard, pid in self.server.owners(job).items() if pid == worker.pid})

    def in_flight(self, shards: set[int] | None = None) -> set[int]:
        """Rows with a call of which the folder knows no answer: an intent, and neither record nor picture.

        Only those of *shards*, if given.
        """
        rows: set[int] = set()
        for folder in (self.out / ".retouch" / "shards").glob("*/r1"):
            if (shards is None or int(folder.parent.name) in shards) and not (folder / "folded").exists():
                rows.update(_open_rows(folder))
        return {row for row in rows if not any((self.out / "images").glob(f"r{row}.*"))}


def _open_rows(folder: Path) -> Iterator[int]:
    last: dict[int, tuple[int, bool]] = {}
    names = [path.name for path in folder.iterdir()]
    settled = {int(name.partition(".")[0]) for name in names if name.endswith(".record")}
    for name in names:
        if name.endswith((".intent", ".tried")):
            row, call, kind = name.split(".")
            last[int(row)] = max(last.get(int(row), (0, False)), (int(call), kind == "tried"))
    return (row for row, (_, answered) in last.items() if row not in settled and not answered)
