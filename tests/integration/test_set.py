"""``retouch set`` on jobs that run, here and on workers."""

from __future__ import annotations

import json

import pytest

from pipeline.gemini.emulator import rule
from tests.integration.crew import Crew
from tests.integration.shop import status_of, wait_for


@pytest.fixture
def crew(tmp_path, emulator, redis_url):
    crew = Crew(tmp_path, emulator, redis_url)
    yield crew
    crew.end()


def in_flight(emulator) -> int:
    return emulator.ledger.summary()["in_flight"]


def test_a_run_gets_more_slots_and_no_pace(shop, emulator):
    emulator.order(rule(latency="0.5"))
    shop.manifest(60)
    shop.environment["RETOUCH_BUDGET"] = "0"
    running = shop.start(
        "run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "1", "--rpm", "20", "--budget", "none"
    )
    wait_for(lambda: emulator.ledger.summary()["calls"] >= 1)

    done = shop.retouch("set", "out", "--rpm", "none", "--max-in-flight", "100")

    assert done.returncode == 0, done.stderr
    assert "no limit on calls per minute, no budget, 100 calls at the same time" in done.stderr
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert json.loads(out)["calls"] == 60
    assert emulator.ledger.summary()["max_in_flight"] > 20
    shop.check_pictures()


def test_a_run_gets_a_budget_and_what_was_spent_counts(shop, emulator):
    shop.manifest(40)
    assert shop.run("--limit", "10").returncode == 0
    emulator.order(rule(latency="0.5"))
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "1")
    wait_for(lambda: emulator.ledger.summary()["calls"] >= 12)
    spent = json.loads((shop.out / "report.json").read_text())["cost_usd"]

    assert shop.retouch("set", "out", "--budget", str(spent)).returncode == 0

    out, _ = running.communicate(timeout=60)
    assert running.returncode == 3
    status = json.loads(out)
    assert (status["state"], status["outcomes"]["pending"] > 0) == ("paused", True)
    assert "budget" in status["state_reason"]


def test_workers_follow_within_seconds(crew):
    crew.emulator.order(rule(latency="0.5"))
    crew.manifest(80)
    crew.worker(16)
    job = crew.submit("shop.csv", "--max-in-flight", "1", "--rpm", "12")
    wait_for(lambda: crew.emulator.ledger.summary()["calls"] >= 1)

    done = crew.retouch("set", job, "--rpm", "none", "--max-in-flight", "64", "--json")

    assert status_of(done)["job"] == job
    crew.to_its_end(job)
    crew.check_everything_once(80)
    assert crew.emulator.ledger.summary()["max_in_flight"] == 16, "the smaller of the job's and the worker's"
    wanted = json.loads((crew.out / "control.json").read_text())
    assert (wanted["adjusted"], wanted["rpm"], wanted["max_in_flight"]) == (True, None, 64)


def test_a_job_that_its_budget_has_paused_goes_on_with_a_new_one(crew):
    crew.manifest(20)
    crew.worker(4)
    job = crew.submit("shop.csv", "--budget", "0.2")
    crew.to_its_end(job, "paused")

    pace = crew.retouch("set", job, "--rpm", "1000")
    assert (pace.returncode, crew.state(job)) == (0, "paused"), "another pace is no more money"
    money = crew.retouch("set", job, "--budget", "none")

    assert "continues" in money.stderr
    crew.to_its_end(job)
    crew.check_everything_once(20)


def test_a_job_that_a_person_has_paused_stays_so(crew):
    crew.emulator.order(rule(latency="0.3"))
    crew.manifest(20)
    crew.worker(2)
    job = crew.submit()
    assert crew.retouch("pause", job).returncode == 0
    assert crew.retouch("set", job, "--budget", "50").returncode == 0
    assert crew.state(job) == "paused"
    assert json.loads((crew.out / "control.json").read_text())["budget"] == 50
    assert crew.status(job)["budget_usd"] == 50


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense", "--rpm", "1"], "no job 'nonsense'"),
        (["out"], "nothing to change: give --rpm"),
        (["out", "--rpm", "0"], "--rpm: 0 is not a number above 0"),
        (["out", "--max-in-flight", "none"], "--max-in-flight: 'none' is not a whole number of 1 or more"),
        (["out", "--rpm", "2"], "has ended (finished)"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(shop, words, said):
    shop.manifest(1)
    shop.run()
    done = shop.retouch("set", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
