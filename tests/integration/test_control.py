from __future__ import annotations

import json

import pytest

from pipeline.engine.brake import CANCELLING
from pipeline.gemini.emulator import rule
from tests.integration.shop import status_of, wait_for


def test_a_paused_run_costs_nothing_until_it_is_resumed(shop, emulator):
    emulator.order(rule(hold=True))
    shop.manifest(40)
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "2")
    wait_for(lambda: emulator.ledger.summary()["calls"] >= 2)

    paused = shop.retouch("pause", "out", "--json")
    assert paused.returncode == 0, paused.stderr
    wait_for(lambda: json.loads((shop.out / "report.json").read_text())["state"] == "paused")
    emulator.order()
    wait_for(lambda: emulator.ledger.summary()["in_flight"] == 0)
    assert shop.retouch("pause", "out").returncode == 0
    assert emulator.ledger.summary()["calls"] == 2

    assert shop.retouch("resume", "out").returncode == 0
    out, err = running.communicate(timeout=60)

    assert running.returncode == 0, err
    assert json.loads(out)["outcomes"]["done"] == 40
    summary = emulator.ledger.summary()
    assert (summary["calls"], summary["pictures_made_more_than_once"]) == (40, {})
    shop.check_pictures()


def test_a_paused_job_stays_paused_over_restarts(shop, emulator):
    shop.manifest(2)
    shop.run("--limit", "1")
    shop.manifest(2)
    (shop.out / "control.json").write_text('{"state":"paused"}')
    running = shop.start("run", "shop.csv", "--out", "out", "--json")
    wait_for(lambda: json.loads((shop.out / "report.json").read_text())["state"] == "paused")
    assert emulator.ledger.summary()["calls"] == 1

    shop.retouch("resume", "out")

    running.communicate(timeout=60)
    assert running.returncode == 0


def test_a_live_run_is_cancelled_in_order(shop, emulator):
    emulator.order(rule(hold=True))
    shop.manifest(60)
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "4")
    wait_for(lambda: emulator.ledger.summary()["calls"] >= 4)

    cancelling = shop.start("cancel", "out", "--json")
    wait_for(lambda: json.loads((shop.out / "report.json").read_text())["state_reason"] == CANCELLING)
    emulator.order()

    out, err = running.communicate(timeout=60)
    assert running.returncode == 1, err
    status = json.loads(out)
    cancelled, _ = cancelling.communicate(timeout=60)
    assert status["state"] == json.loads(cancelled)["state"] == "cancelled"
    assert status["outcomes"]["done"] == 4
    assert status["outcomes"]["pending"] == 0
    assert status["outcomes"]["cancelled"] + status["outcomes"]["done"] == 60
    assert status["calls_unknown"] == 0
    assert emulator.ledger.summary()["paid"] == status["outcomes"]["done"]
    assert [record["row"] for record in shop.records()] == list(range(1, 61))
    shop.check_pictures()


def test_a_job_that_nobody_works_on_is_cancelled_by_the_command(shop, emulator):
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(30)
    assert shop.run().returncode == 3

    done = shop.retouch("cancel", "out", "--json")

    assert status_of(done)["state"] == "cancelled"
    assert {record["outcome"] for record in shop.records()} == {"cancelled"}
    assert len(shop.records()) == 30
    again = shop.retouch("cancel", "out")
    assert again.returncode == 0
    assert "already ended" in again.stderr


def test_retry_settles_what_is_not_done_and_never_what_is(shop, emulator):
    emulator.order(rule("text_only", contains="[[r2]]"), rule("prompt_blocked", contains="[[r3]]"))
    shop.manifest(4)
    assert shop.run().returncode == 1
    before = {record["id"]: record for record in shop.records()}
    emulator.order()

    done = shop.retouch(
        "retry", "out", "--reason", "text_only", "--prompt", "paint it red [[{id}]]", "--json"
    )

    assert done.returncode == 1, done.stderr
    after = {record["id"]: record for record in shop.records()}
    assert [after[name]["outcome"] for name in ("r1", "r2", "r3", "r4")] == [
        "done",
        "done",
        "blocked",
        "done",
    ]
    assert (after["r1"], after["r3"], after["r4"]) == (before["r1"], before["r3"], before["r4"])
    assert after["r2"]["prompt"] == "paint it red [[r2]]"
    assert [attempt["verdict"] for attempt in after["r2"]["attempts"]] == ["text_only"] * 3 + ["image"]
    assert after["r2"]["cost_usd"] > before["r2"]["cost_usd"]
    assert status_of(done)["calls"] == 7

    done = shop.retouch("retry", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert status_of(done)["outcomes"]["done"] == 4
    shop.check_pictures()
    nothing = shop.retouch("retry", "out")
    assert nothing.returncode == 2
    assert "nothing to retry" in nothing.stderr


def test_a_cancelled_job_can_be_retried(shop, emulator):
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(3)
    shop.run()
    shop.retouch("cancel", "out")
    emulator.order()

    done = shop.retouch("retry", "out", "--json")

    assert done.returncode == 0, done.stderr
    assert status_of(done)["state"] == "finished"
    shop.check_pictures()


def test_a_budget_is_the_jobs_and_not_the_processs(shop, emulator):
    shop.manifest(10)
    assert shop.run("--budget", "0.2").returncode == 3
    paid = emulator.ledger.summary()["paid"]

    assert shop.run("--budget", "0.2").returncode == 3

    assert emulator.ledger.summary()["paid"] == paid


@pytest.mark.parametrize(
    "command", ["pause", "resume", "cancel", "retry", "status", "watch", "results", "report"]
)
def test_an_unknown_job_is_one_sentence(shop, command):
    done = shop.retouch(command, "nonsense")

    assert done.returncode == 2
    assert "no job 'nonsense'" in done.stderr
    assert "Traceback" not in done.stderr
