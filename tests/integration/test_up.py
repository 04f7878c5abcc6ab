"""``retouch up``: the whole stack as processes of one command."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest
import redis

from jobs.children import DIES_WITH_US, Child, free_port
from jobs.stack import Part, restart_delay
from pipeline.gemini.emulator import rule
from tests.integration.crew import wait_for
from tests.integration.shop import Shop


class House(Shop):
    """A shop whose stack is up."""

    def __init__(self, folder, url) -> None:
        self.redis_url = f"redis://localhost:{free_port()}/0"
        super().__init__(folder, url, RETOUCH_REDIS_URL=self.redis_url, RETOUCH_LEASE_SECONDS="2")
        self.redis = redis.Redis.from_url(self.redis_url, decode_responses=True)
        self.ups = []

    def up(self):
        """Start it, and wait until everything is at work."""
        with (self.folder / "said").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "jobs", "up", "--max-in-flight", "4"],
                cwd=self.folder,
                env=self.environment,
                stderr=said,
            )
        self.ups.append(process)
        wait_for(lambda: self.said.count("Up: a server") == len(self.ups) or process.poll() is not None, 60)
        assert process.poll() is None, self.said
        return process

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def child(self, up, name: str) -> psutil.Process:
        (found,) = [child for child in psutil.Process(up.pid).children() if name in " ".join(child.cmdline())]
        return found

    def submit(self) -> str:
        done = self.retouch("submit", "shop.csv", "--out", "out", "--yes")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job: str) -> str | None:
        with contextlib.suppress(redis.ConnectionError):
            return self.redis.hget(f"retouch:job:{job}:head", "state")
        return None


@pytest.fixture
def house(tmp_path, emulator):
    house = House(tmp_path, emulator.url)
    yield house
    for up in house.ups:
        for child in psutil.Process(up.pid).children() if up.poll() is None else []:
            child.kill()
        up.kill()
        up.wait()
    house.redis.close()


def test_up_does_jobs_starts_again_what_dies_ends_in_order_and_keeps_its_data(house, emulator):
    house.manifest(12)
    up = house.up()
    emulator.order(rule("picture", latency="0.5"))
    job = house.submit()
    wait_for(lambda: emulator.ledger.summary()["calls"] >= 4)
    for child in [house.child(up, "worker"), house.child(up, "valkey-server")]:
        child.kill()
    wait_for(lambda: house.state(job) == "finished", 60)
    assert {record["outcome"] for record in house.records()} == {"done"}
    assert "The worker has ended (killed by SIGKILL); restarting it." in house.said

    second = house.retouch("up")
    assert second.returncode == 2
    assert f"already runs for this store, in process {up.pid}" in second.stderr

    house.manifest(8, "shop.csv")
    emulator.order(rule("picture", latency="1"))
    (house.folder / "out").rename(house.folder / "first")
    other = house.submit()
    wait_for(lambda: emulator.ledger.summary()["in_flight"] == 4)
    children = psutil.Process(up.pid).children()
    before = emulator.ledger.summary()["calls"]
    up.send_signal(signal.SIGINT)
    assert up.wait(40) == 130, house.said
    assert not any(child.is_running() for child in children)
    assert emulator.ledger.summary()["calls"] == before, "no new calls"
    assert len(list((house.folder / "out" / "images").iterdir())) >= 4, "those in flight were let finish"

    emulator.order()
    again = house.up()
    assert house.redis.hget(f"retouch:job:{job}:head", "state") == "finished", "the server kept its data"
    wait_for(lambda: house.state(other) == "finished", 60)
    again.terminate()
    assert again.wait(40) == 0, house.said


@pytest.mark.skipif(not DIES_WITH_US, reason="this machine has no setpriv")
def test_up_that_is_killed_takes_its_children_with_it(house):
    up = house.up()
    children = psutil.Process(up.pid).children()
    assert len(children) == 3
    up.kill()
    _, alive = psutil.wait_procs(children, 30)
    assert alive == []


def test_a_port_in_use_and_a_server_elsewhere_are_named(house):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        house.environment["RETOUCH_REDIS_URL"] = f"redis://localhost:{port}/0"
        used = house.retouch("up")
    assert (used.returncode, used.stderr.count("\n")) == (2, 1)
    assert f"port {port} of this machine is in use" in used.stderr

    house.environment["RETOUCH_REDIS_URL"] = "redis://broker:6379/0"
    elsewhere = house.retouch("up")
    assert elsewhere.returncode == 2
    assert "RETOUCH_REDIS_URL names broker" in elsewhere.stderr

    del house.environment["GEMINI_API_KEY"]
    assert house.retouch("up").returncode == 3


def test_a_part_that_hangs_is_ended_and_started_again(capfd):
    part = Part("scheduler", lambda: Child("scheduler", ["sleep", "600"], dict(os.environ)))
    part.look(0.0)
    hanging = part.child
    os.kill(hanging.pid, signal.SIGSTOP)
    for now, alive in [
        (50.0, False),
        (60.0, None),
        (70.0, False),
        (80.0, True),
        (90.0, False),
        (149.0, False),
    ]:
        part.heard(alive, now)
        assert hanging.code is None
    part.heard(False, 150.0)
    assert hanging.code in (-signal.SIGTERM, -signal.SIGKILL)
    part.look(150.0)
    part.look(152.0)
    assert part.child not in (None, hanging)
    assert "The scheduler hangs" in capfd.readouterr().err
    part.child.end(60)


def test_a_part_that_dies_again_and_again_is_given_up_a_little_later_each_time():
    started = []

    def start() -> Child:
        child = Child("failing", [sys.executable, "-c", "raise SystemExit(7)"], dict(os.environ))
        started.append(now)
        child.wait(60)
        return child

    part, now = Part("failing", start), 0.0
    while not part.lost:
        part.look(now)
        now += 0.5
    assert started == [0.0, 1.5, 4.0, 8.5, 17.0]
    assert [restart_delay(deaths) for deaths in (1, 2, 6, 50)] == [1.0, 2.0, 30.0, 30.0]
