"""Jobs done by two workers, which stay for the whole module."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from pipeline.gemini.emulator import Options, Studio, in_thread, rule
from tests.integration.crew import Crew, own_redis, wait_for
from workers.celery.app import make_app, publish
from workers.shared.board_types import Hint

SLOTS = 16


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """An emulator, a server and two workers."""
    with own_redis() as url, in_thread(Options(studio=Studio(shrink=6, format="jpeg"))) as emulator:
        crew = Crew(tmp_path_factory.mktemp("stage"), emulator, url)
        crew.worker(SLOTS, ready=False)
        crew.worker(SLOTS, ready=False)
        wait_for(lambda: crew.redis.hlen("retouch:workers") == 2)
        yield emulator, url
        crew.end()


@pytest.fixture
def crew(stage, tmp_path) -> Crew:
    emulator, url = stage
    emulator.order()
    emulator.ledger.clear()
    crew = Crew(tmp_path, emulator, url)
    yield crew
    emulator.order()
    crew.all_is_still()
    crew.end()


def slow(seconds: float = 0.4):
    return rule(latency=str(seconds))


def test_two_workers_share_one_job(crew, stage):
    crew.emulator.order(slow(0.1))
    crew.manifest(200)
    job = crew.submit()
    crew.to_its_end(job)
    crew.check_everything_once(200)
    status = json.loads((crew.out / "report.json").read_text())
    assert status["state"] == "finished"
    assert status["outcomes"]["done"] == 200
    assert status["calls"] == 200
    spent = [
        name
        for name, sums in crew.redis.hgetall(f"retouch:job:{job}:budget").items()
        if sums.split()[1] != "0"
    ]
    assert len(spent) == 2, "both have worked"
    seen = crew.status(job)
    assert seen["images_per_minute"] is None, "nothing is made any more"
    assert seen == status
    assert crew.emulator.ledger.summary()["max_in_flight"] > SLOTS


def _lasting(record: dict) -> dict:
    """A record without its times."""
    kept = {name: value for name, value in record.items() if name != "settled_at"}
    kept["attempts"] = [
        {name: value for name, value in attempt.items() if name not in ("started_at", "seconds")}
        for attempt in record["attempts"]
    ]
    return kept


def test_a_submitted_job_ends_in_the_same_records_as_a_run(crew, tmp_path):
    rules = (
        rule("refused", contains="[[r3]]"),
        rule("text_only", contains="[[r5]]", times_per_token=1),
        rule("bare_429", contains="[[r7]]", times_per_token=1),
        rule("unknown_field", contains="[[r9]]"),
    )
    manifest = crew.manifest(60)
    manifest.write_text(manifest.read_text() + "lost,nowhere.png,x\nr1,p1.png,again\n")
    crew.emulator.order(*rules)
    crew.to_its_end(crew.submit())
    submitted = [_lasting(record) for record in crew.records()]
    crew.emulator.order(*rules)
    crew.out = tmp_path / "alone"
    done = crew.retouch("run", "shop.csv", "--out", str(crew.out), "--json")
    assert done.returncode == 1, done.stderr
    assert submitted == [_lasting(record) for record in crew.records()]
    assert {record["outcome"] for record in submitted} == {"done", "blocked", "failed", "invalid"}


def test_it_halts_once_for_all_and_goes_on_when_mended(crew):
    crew.manifest(300)
    crew.emulator.order(rule("status", code=403, after=40), slow(0.2))
    job = crew.submit()
    crew.to_its_end(job, "halted")
    halted = time.monotonic()
    refused = len(list(crew.emulator.ledger.calls({"status": "403"})))
    assert refused <= 2 * SLOTS
    wait_for(lambda: not crew.redis.zcard(f"retouch:job:{job}:leases"))
    assert time.monotonic() - halted < 20
    calls = crew.emulator.ledger.summary()["calls"]
    time.sleep(1)
    assert crew.emulator.ledger.summary()["calls"] == calls, "nobody calls any more"
    assert crew.status(job)["state_reason"].startswith("denied: ")
    crew.emulator.order()
    # What Redis has forgotten is built again from the folder.
    crew.redis.delete(*crew.redis.keys(f"retouch:job:{job}:*"))
    assert crew.redis.hlen(f"retouch:job:{job}:head") == 0
    assert crew.submit() == job
    crew.to_its_end(job)
    assert len(crew.records()) == 300
    crew.check_everything_once(300)


def test_cancel_settles_the_rest(crew):
    crew.manifest(300)
    crew.emulator.order(rule(times=21), rule(hold=True))
    job = crew.submit()
    wait_for(lambda: crew.emulator.ledger.summary()["answered"] > 20)
    wait_for(lambda: crew.emulator.ledger.summary()["in_flight"] == 2 * SLOTS)
    # Without Redis, this is left.
    wait_for(lambda: json.loads((crew.out / "report.json").read_text())["state"] == "running")
    cancelling = crew.start("cancel", job)
    wait_for(lambda: crew.head(job)["want"] == "cancelled")
    crew.all_have_heard()
    crew.emulator.order()
    _, said = cancelling.communicate(timeout=60)
    assert cancelling.returncode == 0, said
    crew.to_its_end(job)
    paid = crew.emulator.ledger.summary()["paid"]
    records = crew.records()
    assert len(records) == 300
    outcomes = [record["outcome"] for record in records]
    assert outcomes.count("done") == paid
    assert outcomes.count("cancelled") == 300 - paid
    assert paid == 21 + 2 * SLOTS
    assert crew.status(job)["state"] == "cancelled"


def test_a_budget_is_never_passed(crew):
    crew.manifest(200)
    crew.emulator.order(slow(0.1))
    job = crew.submit("shop.csv", "--budget", "2")
    crew.to_its_end(job, "paused")
    wait_for(lambda: not crew.redis.zcard(f"retouch:job:{job}:leases"))
    status = crew.status(job)
    assert 1.8 < status["cost_usd"] <= 2.0
    assert status["state_reason"].startswith("budget: ")
    # Nobody watches: the workers themselves write what they have.
    wait_for((crew.out / "results.csv").exists)
    wait_for(lambda: not crew.redis.zcard(f"retouch:job:{job}:leases"))
    report = json.loads((crew.out / "report.json").read_text())
    assert (report["state"], report["in_flight"]) == ("paused", 0)
    assert len(crew.records()) == report["outcomes"]["done"] == crew.emulator.ledger.summary()["paid"]
    crew.check_pictures()
    crew.submit("shop.csv", "--budget", "50")
    crew.to_its_end(job)
    crew.check_everything_once(200)


def test_the_price_of_a_job_that_was_begun_is_that_of_what_is_left(crew):
    crew.manifest(60)
    crew.emulator.order(slow(0.1))
    job = crew.submit("shop.csv", "--budget", "1.8")
    crew.to_its_end(job, "paused")
    again = ("submit", "shop.csv", "--out", str(crew.out))
    refused = crew.retouch(*again, "--confirm-above", "0.5")
    assert refused.returncode == 2
    assert "What is left of 60 rows, about $" in refused.stderr
    # The whole costs more than this, and what is left does not.
    done = crew.retouch(*again, "--confirm-above", "1.5")
    assert done.returncode == 0, done.stderr
    crew.to_its_end(job)
    crew.check_everything_once(60)


def test_a_copy_of_a_job_that_workers_have_is_refused(crew):
    crew.manifest(60)
    crew.emulator.order(rule(hold=True))
    job = crew.submit()
    assert crew.retouch("pause", job).returncode == 0
    crew.emulator.order()
    wait_for(lambda: not crew.redis.zcard(f"retouch:job:{job}:leases"))
    assert crew.state(job) == "paused"
    copy = crew.folder / "copy"
    shutil.copytree(crew.out, copy)
    for command in ("submit", "run"):
        refused = crew.retouch(command, "shop.csv", "--out", str(copy), "--yes")
        assert refused.returncode == 2
        assert f"is a copy of job {job}, which was handed to the workers in {crew.out}" in refused.stderr
    same = crew.folder / "same"
    same.symlink_to(crew.out)
    assert crew.retouch("submit", "shop.csv", "--out", str(same), "--yes").returncode == 0
    crew.to_its_end(job)
    crew.check_everything_once(60)


def test_a_job_of_which_a_file_is_damaged_halts_and_says_so(crew):
    crew.manifest(600)
    crew.emulator.order(rule(hold=True))
    job = crew.submit()
    (crew.out / ".retouch/shards/000012/r1/plan").write_text("{")
    crew.emulator.order()
    crew.to_its_end(job, "halted")
    assert "000012/r1/plan is damaged" in crew.status(job)["state_reason"]


def test_a_pace_holds_over_all_workers(crew):
    crew.manifest(30)
    job = crew.submit("shop.csv", "--rpm", "600")
    crew.to_its_end(job)
    calls = sorted(crew.emulator.ledger.calls(), key=lambda call: call.started)
    assert calls[-1].started - calls[0].started >= 29 * 0.1 * 0.9
    crew.check_everything_once(30)


def test_ten_rows_do_not_wait_behind_many(crew):
    crew.emulator.order(slow(0.5))
    crew.manifest(1500)
    many = crew.submit()
    crew.manifest(10, "ten.csv", prompt="quickly")
    done = crew.retouch("submit", "ten.csv", "--out", "ten", "--json")
    ten = json.loads(done.stdout)["job"]
    crew.to_its_end(ten, seconds=30)
    assert crew.state(many) == "running"
    # They wait for a thread to come free, not for the messages that were there before.
    assert int(crew.head(many).get("outcome:done", 0)) < 1200
    crew.retouch("cancel", many)
    crew.to_its_end(many)


def test_messages_may_come_twice_and_for_nothing(crew):
    crew.emulator.order(slow(0.1))
    crew.manifest(120)
    job = crew.submit()
    app = make_app(crew.environment["RETOUCH_REDIS_URL"])
    publish(app, [Hint(job, shard, True) for shard in (1, 1, 2, 3, 3, 99, 0)] + [Hint("never", 1, False)])
    app.close()
    crew.to_its_end(job)
    crew.check_everything_once(120)


def test_latency_is_not_spent_waiting(crew):
    """Slots over latency: the shards of a process feed one pool of slots."""
    crew.emulator.order(rule(latency="0.5"))
    crew.manifest(200)
    job = crew.submit()
    queued = time.monotonic()
    crew.to_its_end(job)
    # Generous, for machines with much else to do; one shard after another would take far longer.
    assert time.monotonic() - queued < 3 * 200 * 0.5 / (2 * SLOTS) + 15
