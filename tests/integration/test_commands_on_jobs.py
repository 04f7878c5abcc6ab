"""Commands on jobs that run, stand still, were cancelled, retried, or lost their folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket

from pipeline.gemini.emulator import rule
from tests.integration.shop import status_of, wait_for


def reported(shop) -> dict:
    return json.loads((shop.out / "report.json").read_text())


def test_pause_and_resume_return_when_the_run_has_heard(shop, emulator):
    emulator.order(rule(hold=True))
    shop.manifest(60)
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "2")
    wait_for(lambda: emulator.ledger.summary()["calls"] >= 2)

    assert status_of(shop.retouch("pause", "out", "--json"))["state"] == "paused"
    emulator.order(rule(latency="0.5"))
    wait_for(lambda: reported(shop)["in_flight"] == 0)
    assert emulator.ledger.summary()["calls"] == 2
    assert status_of(shop.retouch("resume", "out", "--json"))["state"] == "running"
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)


def test_a_pause_costs_none_of_the_pace(shop, emulator):
    shop.manifest(40)
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--rpm", "60")
    wait_for(lambda: emulator.ledger.summary()["calls"] >= 1)
    shop.retouch("pause", "out")
    calls = emulator.ledger.summary()["calls"]

    shop.retouch("resume", "out")

    # Forty turns were booked: they reach forty seconds ahead.
    wait_for(lambda: emulator.ledger.summary()["calls"] >= calls + 2)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=60)


def test_a_job_that_nobody_works_on_is_paused_and_resumed_in_its_report(shop, emulator):
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(2)
    shop.run()

    assert status_of(shop.retouch("pause", "out", "--json"))["state"] == "paused"
    assert status_of(shop.retouch("status", "out", "--json"))["state"] == "paused"
    resumed = shop.retouch("resume", "out", "--json")
    assert status_of(resumed)["state"] == "queued"
    assert "No process is working on" in resumed.stderr


def test_the_report_of_a_live_run_calls_no_call_interrupted(shop, emulator):
    emulator.order(rule(hold=True))
    shop.manifest(3)
    running = shop.start("run", "shop.csv", "--out", "out", "--json")
    wait_for(lambda: (shop.out / "report.json").exists() and reported(shop)["in_flight"] == 3)

    status = status_of(shop.retouch("report", "out", "--json"))

    emulator.order()
    assert (status["calls"], status["calls_unknown"], status["verdicts"]) == (3, 0, {})
    assert running.wait(60) == 0
    running.communicate()


def test_results_and_report_are_those_of_the_last_round(shop, emulator):
    emulator.order(rule("text_only", contains="[[r2]]"))
    shop.manifest(3)
    shop.run()
    emulator.order()
    assert shop.retouch("retry", "out").returncode == 0
    kept = (shop.out / "results.jsonl").read_bytes()

    assert shop.retouch("results", "out", "--json").stdout.encode() == kept
    assert status_of(shop.retouch("report", "out", "--json"))["outcomes"]["done"] == 3
    assert (shop.out / "results.jsonl").read_bytes() == kept


def test_retry_of_no_reason_is_refused(shop, emulator):
    emulator.order(rule("text_only"))
    shop.manifest(1)
    shop.run()
    calls = emulator.ledger.summary()["calls"]

    for reason in ("", " ", ","):
        done = shop.retouch("retry", "out", "--reason", reason)
        assert done.returncode == 2, done.stderr
        assert "--reason" in done.stderr
    assert emulator.ledger.summary()["calls"] == calls


def test_a_folder_that_another_job_took_over_is_listed_once(shop):
    shop.manifest(1)
    first = status_of(shop.run())["job"]
    shutil.rmtree(shop.out)
    shop.manifest(2)
    second = status_of(shop.run("--aspect-ratio", "1:1"))["job"]

    listed = shop.retouch("status", "--json")

    assert [status["job"] for status in status_of(listed)] == [second]
    assert f"job {first}: its folder {shop.out} belongs to job {second} now" in listed.stderr
    for command in ("status", "results", "report", "retry"):
        assert shop.retouch(command, first).returncode == 2


def test_what_a_killed_run_was_writing_is_removed_by_the_next(shop, emulator):
    shop.manifest(1)
    shop.run("--limit", "1")
    gone = shop.start("models")
    gone.communicate()
    ours, theirs = f"{socket.gethostname()}.{gone.pid}.{24 * 'a'}", f"elsewhere.{gone.pid}.{24 * 'b'}"
    alive, old = f"{socket.gethostname()}.{os.getpid()}.{24 * 'c'}", f"elsewhere.1.{24 * 'd'}"
    folder = shop.out / ".retouch" / "tmp"
    for name in (ours, theirs, alive, old):
        (folder / name).write_text("half")
    os.utime(folder / old, (0, 0))

    shop.run()

    assert {path.name for path in folder.iterdir()} == {theirs, alive}


def test_a_cancelled_job_cannot_be_submitted_and_says_how_to_go_on(shop, emulator, redis_url):
    shop.environment["RETOUCH_REDIS_URL"] = redis_url
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(2)
    shop.run()
    cancelled = shop.retouch("cancel", "out")
    assert "--reason cancelled` processes them after all" in cancelled.stderr

    done = shop.retouch("submit", "shop.csv", "--out", "out")

    assert (done.returncode, done.stdout) == (2, "")
    assert "was cancelled: `retouch retry" in done.stderr


def test_v_tells_of_rows_and_not_of_every_request(shop, redis_url):
    shop.environment["RETOUCH_REDIS_URL"] = redis_url
    shop.manifest(1)
    shop.retouch("submit", "shop.csv", "--out", "out")
    worker = shop.start("worker", "-v")
    assert shop.retouch("watch", "out").returncode == 0

    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)

    assert "row_settled" in said
    assert "HTTP Request" not in said


def test_a_new_job_says_that_an_earlier_one_has_paid_for_the_same(shop):
    shop.manifest(1)
    first = status_of(shop.retouch("run", "shop.csv", "--json"))["job"]

    again = shop.retouch("run", "shop.csv", "--json")
    reusing = shop.retouch("run", "shop.csv", "--json", "--reuse")

    assert f"This is a new job and will be paid for again: {first}, of the same manifest" in again.stderr
    assert "paid for again" not in reusing.stderr


def test_files_of_ours_that_are_damaged_are_named(shop):
    shop.manifest(1)
    job = status_of(shop.run())["job"]
    other = status_of(shop.retouch("run", "shop.csv", "--out", "other", "--json"))["job"]
    entry = shop.folder / "store" / ".retouch" / "jobs" / job
    kept = entry.read_bytes()

    entry.write_text("{")
    assert shop.retouch("status", job).returncode == 2
    assert "is damaged" in shop.retouch("status", job).stderr
    assert [status["job"] for status in status_of(shop.retouch("status", "--json"))] == [other]
    entry.write_bytes(kept)
    (shop.out / "report.json").write_text("{")
    assert shop.retouch("report", "out").returncode == 0
    assert reported(shop)["outcomes"]["done"] == 1
    for name in ("control.json", ".retouch/planned"):
        kept = (shop.out / name).read_bytes()
        (shop.out / name).write_text("{")
        done = shop.run()
        assert (done.returncode, done.stdout) == (2, ""), name
        assert f"{shop.out}/{name} is damaged" in done.stderr
        (shop.out / name).write_bytes(kept)


def test_retry_of_a_job_that_was_left_points_to_its_command(shop, emulator):
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(2)
    shop.run()

    done = shop.retouch("retry", "out")

    assert done.returncode == 2
    assert "unfinished rows are processed by the command that started the job" in done.stderr


def test_retry_of_a_reason_that_is_not_there_names_those_that_are(shop, emulator):
    emulator.order(rule("text_only"))
    shop.manifest(2)
    shop.run()

    done = shop.retouch("retry", "out", "--reason", "text-only")

    assert done.returncode == 2
    assert (
        "nothing to retry for text-only: the rows that are not done have other reasons: 2 text_only"
        in done.stderr
    )


def test_a_worker_whose_terminal_is_closed_lets_its_calls_finish(shop, emulator, redis_url):
    shop.environment["RETOUCH_REDIS_URL"] = redis_url
    emulator.order(rule(hold=True))
    shop.manifest(12)
    shop.retouch("submit", "shop.csv", "--out", "out")
    worker = shop.start("worker", "--max-in-flight", "4", "-v")
    wait_for(lambda: emulator.ledger.summary()["in_flight"] >= 4)

    worker.send_signal(signal.SIGHUP)
    wait_for(lambda: "worker_stopping" in worker.err)
    worker.send_signal(signal.SIGHUP)
    emulator.order()
    worker.communicate(timeout=60)

    assert worker.returncode == 0
    status = status_of(shop.retouch("report", "out", "--json"))
    assert (status["outcomes"]["done"], status["calls"], status["calls_unknown"]) == (4, 4, 0)
