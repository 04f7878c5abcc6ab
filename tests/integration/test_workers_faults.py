"""Workers that die, leave, or were never there; messages that are lost."""

from __future__ import annotations

import signal
import time

import pytest

from pipeline.gemini.emulator import Options, Studio, in_thread, rule
from tests.integration.crew import Crew, wait_for
from workers.shared.keys import QUEUE_LISTS
from workers.shared.status import NO_WORKER

#: Seconds, short so that a takeover is seen.
LEASE = 2.0


@pytest.fixture
def crew(tmp_path, redis_url):
    with in_thread(Options(studio=Studio(shrink=6, format="jpeg"))) as emulator:
        crew = Crew(tmp_path, emulator, redis_url, RETOUCH_LEASE_SECONDS=str(LEASE))
        yield crew
        crew.end()


def test_a_killed_workers_shards_are_taken_over(crew):
    crew.emulator.order(rule(times=21), rule(hold=True))
    crew.manifest(200)
    doomed = crew.worker()
    job = crew.submit()
    wait_for(lambda: crew.emulator.ledger.summary()["answered"] > 20)
    wait_for(lambda: crew.emulator.ledger.summary()["in_flight"] == 16)
    crew.worker()
    doomed.kill()
    crew.emulator.order(rule(latency="0.5"))
    died = time.monotonic()
    in_flight = 16
    held = crew.redis.zrange(f"retouch:job:{job}:leases", 0, -1)
    owners = {shard: crew.redis.hget(f"retouch:job:{job}:owners", shard) for shard in held}
    wait_for(
        lambda: all(
            crew.redis.hget(f"retouch:job:{job}:owners", shard) != owner for shard, owner in owners.items()
        )
    )
    assert time.monotonic() - died < LEASE + 20
    crew.to_its_end(job)
    assert [record["row"] for record in crew.records()] == list(range(1, 201))
    crew.check_pictures()
    assert {record["outcome"] for record in crew.records()} == {"done"}
    status = crew.status(job)
    again = crew.emulator.ledger.summary()["paid"] - 200
    assert 0 <= again <= in_flight
    assert again <= status["calls_unknown"] <= in_flight
    assert status["verdicts"].get("interrupted", 0) == status["calls_unknown"]


def test_nobody_is_there_and_the_messages_are_lost(crew):
    crew.manifest(20)
    job = crew.submit()
    status = crew.status(job)
    assert (status["state"], status["state_reason"]) == ("queued", NO_WORKER)
    assert sum(crew.redis.llen(name) for name in QUEUE_LISTS) == 1
    crew.redis.delete(*QUEUE_LISTS)
    worker = crew.worker()
    crew.to_its_end(job)
    crew.check_everything_once(20)
    worker.kill()
    worker.wait()
    crew.manifest(20, "more.csv")
    crew.out = crew.folder / "more"
    job = crew.submit("more.csv")
    wait_for(lambda: crew.status(job)["state_reason"] == NO_WORKER)


def test_a_worker_that_is_told_to_end_gives_back_what_it_has_not_begun(crew):
    crew.emulator.order(rule(times=6), rule(hold=True))
    crew.manifest(120)
    leaving = crew.worker(16, "-v")
    job = crew.submit()
    wait_for(lambda: crew.emulator.ledger.summary()["answered"] > 5)
    leaving.send_signal(signal.SIGTERM)
    wait_for(lambda: "worker_stopping" in leaving.err)
    crew.emulator.order()
    told = time.monotonic()
    leaving.communicate(timeout=60)
    assert leaving.returncode == 0
    assert time.monotonic() - told < 30
    summary = crew.emulator.ledger.summary()
    assert summary["in_flight"] == 0
    assert summary["paid"] == summary["answered"]
    assert int(crew.head(job)["outcome:done"]) == summary["paid"] < 120, "what was paid for is recorded"
    assert crew.redis.zcard(f"retouch:job:{job}:leases") == 0
    assert crew.status(job)["state_reason"] == NO_WORKER
    crew.emulator.order()
    crew.worker()
    crew.to_its_end(job)
    crew.check_everything_once(120)
    assert crew.status(job)["calls_unknown"] == 0


def test_a_worker_that_cannot_see_the_pictures_makes_the_job_wait(crew, tmp_path):
    crew.folder = tmp_path / "shop"
    crew.folder.mkdir()
    crew.manifest(10)
    job = crew.submit()
    root = crew.folder
    crew.folder = root.rename(tmp_path / "mounted")
    crew.worker()
    crew.to_its_end(job, "waiting")
    status = crew.status(job)
    assert "RETOUCH_ROOT_MAP" in status["state_reason"]
    assert status["outcomes"]["pending"] == 10
    # The others need not wait until it looks again.
    crew.redis.zadd(f"retouch:job:{job}:todo", {"0000001": 0})
    crew.environment["RETOUCH_ROOT_MAP"] = f"{root}={crew.folder}"
    crew.worker()
    crew.to_its_end(job)
    crew.check_everything_once(10)


def test_without_redis_or_key_it_says_so(crew):
    crew.environment["RETOUCH_REDIS_URL"] = "redis://127.0.0.1:1/0"
    done = crew.retouch("worker")
    assert done.returncode == 2
    assert "RETOUCH_REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr
    del crew.environment["GEMINI_API_KEY"]
    done = crew.retouch("worker")
    assert done.returncode == 3
    assert "GEMINI_API_KEY" in done.stderr
