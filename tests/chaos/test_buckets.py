"""A job on an S3 server: a worker is killed, a run is killed, the store is away for a while."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.chaos.bucketground import BucketGround
from tests.chaos.judge import judge
from tests.chaos.proxy import Proxy
from tests.chaos.waiting import lasts, until
from tests.objectstores import Bucket

#: Calls that a process may have in flight when it is killed. What it was putting then, the server may still take.
SLOTS = 8


@pytest.fixture
def ground(api, server, proxy, tmp_path, seaweed_bucket: Bucket) -> Iterator[BucketGround]:
    folder = tmp_path / "shop"
    folder.mkdir()
    api.begin()
    ground = BucketGround(folder, api, server, proxy.url, seaweed_bucket)
    yield ground
    ground.processes.end()
    for name, said in ground.said():
        # pytest shows it only for a test that has failed.
        print(f"----- {name}\n{said[-2000:]}")
    api.order()


@pytest.mark.timeout(600)
def test_a_worker_is_killed(ground, full):
    """The figure of the issue, with 2,000 rows: nothing is lost."""
    rows, crew = (2000, 3) if full else (60, 2)
    slots = 32 if full else SLOTS
    ground.api.order({"latency": "uniform:0.5:1.5" if full else "uniform:0.2:0.6"})
    ground.manifest(rows)
    workers = [ground.worker(slots) for _ in range(crew)]
    ground.manned(*workers)
    job = ground.submit()
    until(lambda: ground.api.answered() >= rows // 4, 120)
    victim = next(worker for worker in workers if worker.pid in ground.server.owners(job).values())
    victim.kill()
    ground.lost.append(slots)
    ground.worker(slots)
    ground.to_its_end(job, 400)
    judge(ground, rows)


def test_a_run_is_killed(ground, full):
    rows = 600 if full else 40
    ground.api.order({"latency": "0.3"})
    ground.manifest(rows)
    doomed = ground.running("--max-in-flight", str(SLOTS))
    until(lambda: ground.api.answered() >= rows // 4, 60)
    doomed.signal(signal.SIGKILL)
    ground.lost.append(SLOTS)
    assert ground.running("--max-in-flight", str(SLOTS)).wait(300) == 0
    judge(ground, rows)


@pytest.fixture
def line(seaweed_bucket: Bucket) -> Iterator[Proxy]:
    """A way to the S3 server that can be cut."""
    line = Proxy(int(seaweed_bucket.environment["AWS_ENDPOINT_URL"].rpartition(":")[2]))
    yield line
    line.close()


@pytest.mark.parametrize("who", ["run", "workers"])
def test_the_store_is_lost_and_found(ground, line, full, who):
    """Answers get lost in the middle of puts, and for seconds nobody answers: no picture is paid for twice."""
    rows = 400 if full else 60
    ground.environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{line.port}"
    ground.api.order({"latency": "uniform:0.1:0.4"})
    ground.manifest(rows)
    job = ""
    if who == "workers":
        ground.manned(*[ground.worker(SLOTS) for _ in range(2)])
        job = ground.submit()
    running = ground.running("--max-in-flight", str(SLOTS)) if who == "run" else None
    for part in range(1, 5):
        until(lambda part=part: ground.api.answered() >= rows * part // 6, 60)
        line.cut()
    line.refuse()
    lasts(3)
    line.anew()
    if running:
        assert running.wait(120) == 0
    else:
        ground.to_its_end(job, 120)
    judge(ground, rows, unknown=0)
