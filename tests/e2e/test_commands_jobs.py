"""A job from ``run`` or ``submit`` to its end, by the commands alone."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from pipeline.gemini.emulator import Latency, Options, Studio, in_thread, rule
from tests.e2e.typed import KEY, RETOUCH, Shell

SMALL = Studio(shrink=6, format="jpeg")


@pytest.fixture
def emulator() -> Iterator[object]:
    with in_thread(Options(studio=SMALL, latency=Latency.parse("0.1"))) as running:
        yield running


@pytest.fixture
def shell(tmp_path, emulator, redis_url) -> Shell:
    folder = tmp_path / "shop"
    folder.mkdir()
    for row in range(1, 7):
        Image.new("RGB", (64, 48), (row * 30, 9, 9)).save(folder / f"{row}.png")
    rows = "".join(f"{row}.png,make it blue [[{row}]]\n" for row in range(1, 7))
    (folder / "shop.csv").write_text(f"image,prompt\n{rows}gone.png,make it blue\n")
    return Shell(folder, GEMINI_API_KEY=KEY, GOOGLE_GEMINI_BASE_URL=emulator.url, RETOUCH_REDIS_URL=redis_url)


@pytest.fixture
def begin(shell) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command in the background; ended with the test."""
    begun: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [RETOUCH, *words],
            cwd=shell.folder,
            env=shell.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_a_run_and_every_command_that_reads_it(shell):
    ran = shell.type("run", "shop.csv", "--out", "job")

    assert (ran.code, ran.out) == (1, "")
    assert "6 done, 1 invalid, of 7 rows; 6 calls, $" in ran.err
    assert "--outcome invalid` shows line and reason" in ran.err
    assert KEY not in ran.err

    status = shell.type("status", "job", "--json").json
    assert status["state"] == "finished"
    assert [job["job"] for job in shell.type("status", "--json").json] == [status["job"]]
    assert status["job"] in shell.type("status").out
    assert "6 done, 1 invalid" in shell.type("status", status["job"]).out

    watched = shell.type("watch", "job", "--json")
    assert (watched.code, watched.json) == (1, status)
    cancelled = shell.type("cancel", "job")
    assert cancelled.code == 0
    assert "has already ended" in cancelled.err


def test_results_for_people_scripts_and_spreadsheets(shell):
    shell.type("run", "shop.csv", "--out", "job")
    stored = (shell.folder / "job" / "results.jsonl").read_text()

    assert shell.type("results", "job", "--json").out == stored
    lines = shell.type("results", "job").out.splitlines()
    assert len(lines) == 7
    assert lines[0].split() == ["1", "done", "images/1.jpg"]
    assert "invalid" in lines[6]
    assert "gone.png" in lines[6]
    done = [
        json.loads(line)
        for line in shell.type("results", "job", "--json", "--outcome", "done").out.splitlines()
    ]
    assert [record["id"] for record in done] == ["1", "2", "3", "4", "5", "6"]
    table = shell.type("results", "job", "--csv", "--outcome", "invalid").out
    assert [row["outcome"] for row in csv.DictReader(io.StringIO(table.lstrip("\ufeff")))] == ["invalid"]
    assert shell.type("results", "job", "--outcome", "failed").out == ""


def test_results_and_report_are_written_anew(shell):
    shell.type("run", "shop.csv", "--out", "job")
    folder = shell.folder / "job"
    kept = {name: (folder / name).read_bytes() for name in ("results.jsonl", "results.csv")}
    for name in (*kept, "report.html"):
        (folder / name).unlink()

    typed = shell.type("report", "job", "--json")

    assert typed.code == 0
    assert typed.json["outcomes"]["done"] == 6
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert (folder / "report.html").exists()


def test_without_a_key_nothing_is_called_and_a_person_is_needed(shell, emulator):
    typed = shell.type("run", "shop.csv", env={"GEMINI_API_KEY": ""})

    assert typed.code == 3
    assert "no API key: set GEMINI_API_KEY" in typed.err
    assert emulator.ledger.summary()["calls"] == 0


def test_a_cost_that_nobody_can_confirm_ends_before_anything_is_called(shell, emulator):
    for command in ("run", "submit"):
        typed = shell.type(command, "shop.csv", "--confirm-above", "0.1")

        assert typed.code == 2, typed.err
        assert "pass --yes, raise --confirm-above" in typed.err
        assert typed.out == ""
    assert emulator.ledger.summary()["calls"] == 0


def test_redis_out_of_reach_is_a_sentence_at_the_start(shell):
    gone = {"RETOUCH_REDIS_URL": "redis://:hidden-password@127.0.0.1:1/0"}

    for words in (["submit", "shop.csv"], ["worker"]):
        typed = shell.type(*words, env=gone)
        assert typed.code == 2
        assert "is not available" in typed.err
        assert "RETOUCH_REDIS_URL" in typed.err
        assert "hidden-password" not in typed.err
        assert "Traceback" not in typed.err
    assert not (shell.folder / "retouch-jobs").exists()


def test_a_submitted_job_to_its_end(shell, begin):
    submitted = shell.type("submit", "shop.csv", "--out", "job", "--json")

    assert submitted.code == 0
    assert set(submitted.json) == {"job", "out", "rows"}
    assert (submitted.json["out"], submitted.json["rows"]) == (str(shell.folder / "job"), 7)
    assert "shop.csv:8: column image: missing" in submitted.err
    assert "no worker is consuming: start `retouch worker`" in submitted.err
    assert "no worker is consuming" in shell.type("status", "job").out

    begin("worker", "--max-in-flight", "4")
    watched = shell.type("watch", submitted.json["job"])

    assert watched.code == 1
    assert "6 done, 1 invalid, of 7 rows; 6 calls" in watched.err
    assert len(shell.type("results", "job").out.splitlines()) == 7
    again = shell.type("submit", "shop.csv", "--out", "job")
    assert again.code == 0
    assert "is finished; there is nothing left to do" in again.err


def test_submit_prints_the_id_alone(shell):
    typed = shell.type("submit", "shop.csv", "--out", "job")

    assert typed.code == 0
    assert typed.out == json.loads((shell.folder / "job" / "job.json").read_text())["job"] + "\n"


def test_whoever_watches_hears_within_ten_seconds_that_there_is_no_worker(shell, begin):
    shell.type("submit", "shop.csv", "--out", "job")
    for words in (["watch", "job"], ["watch", "job", "--json"]):
        watching = begin(*words)
        assert watching.stderr is not None

        assert "no worker is consuming: start `retouch worker`" in watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        out, err = watching.communicate(timeout=60)
        assert (watching.returncode, out) == (130, "")
        assert "`retouch watch job` shows it again" in err


def test_redis_lost_later_leaves_the_last_report(shell):
    shell.type("submit", "shop.csv", "--out", "job")

    typed = shell.type("status", "job", "--json", env={"RETOUCH_REDIS_URL": "redis://127.0.0.1:1/0"})

    assert typed.code == 0
    assert (typed.json["state"], typed.json["rows"]) == ("queued", 7)
    assert "the figures are from the last report.json" in typed.err


def test_a_live_run_is_cancelled_and_cancel_waits_for_its_end(shell, begin, emulator):
    emulator.order(rule("picture", latency=2))
    running = begin("run", "shop.csv", "--out", "job", "--max-in-flight", "1", "--json")
    until(lambda: emulator.ledger.summary()["calls"] >= 2)

    typed = shell.type("cancel", "job", "--json")

    assert typed.code == 0
    assert typed.json["state"] == "cancelled"
    assert typed.json["outcomes"]["pending"] == 0
    assert running.wait(60) == 1
    assert len(shell.type("results", "job").out.splitlines()) == 7


def test_a_run_that_was_left_is_cancelled_by_cancel_itself(shell, begin, emulator):
    running = begin("run", "shop.csv", "--out", "job", "--max-in-flight", "1")
    until(lambda: emulator.ledger.summary()["calls"] >= 2)
    running.kill()
    running.wait()
    calls = emulator.ledger.summary()["calls"]

    left = shell.type("watch", "job")
    assert left.code == 130
    assert "no process is working on it" in left.err

    typed = shell.type("cancel", "job", "--json", env={"GEMINI_API_KEY": ""})
    assert typed.code == 0
    assert typed.json["state"] == "cancelled"
    assert typed.json["outcomes"]["cancelled"] >= 4
    assert emulator.ledger.summary()["calls"] == calls


def test_a_submitted_job_is_cancelled(shell, begin):
    shell.type("submit", "shop.csv", "--out", "job", "--rpm", "10")
    begin("worker", "--max-in-flight", "1")
    until(lambda: "running" in shell.type("status", "job").out)

    typed = shell.type("cancel", "job", "--json")

    assert typed.code == 0
    assert typed.json["state"] == "cancelled"
    assert typed.json["outcomes"]["cancelled"] >= 3
    assert shell.type("watch", "job").code == 1


def test_the_emulator_prints_its_url_first_and_ends_in_peace(begin):
    emulator = begin("emulator", "--port", "0", "--fault", "text_only every=2", "--canned")
    assert emulator.wait(60) == 2
    assert "--canned answers everything alike" in emulator.stderr.read()

    for ending in (signal.SIGINT, signal.SIGTERM):
        emulator = begin("emulator", "--port", "0", "--latency", "0.1")
        assert emulator.stdout.readline().startswith("http://127.0.0.1:")
        assert "GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:" in emulator.stderr.readline()
        emulator.send_signal(ending)
        assert emulator.wait(60) == 0


def test_a_price_that_nobody_knows_is_said_and_is_not_0(shell, emulator):
    emulator.order(rule("empty"))
    ran = shell.type("run", "shop.csv", "--out", "job", "--attempts", "1")

    assert "6 failed, 1 invalid, of 7 rows; 6 calls, cost unknown\n" in ran.err
    assert "6 calls at an unknown price" in ran.err
    status = shell.type("status", "job", "--json").json
    assert (status["cost_usd"], status["calls_unpriced"]) == (None, 6)
    emulator.order(rule("empty", contains="[[1]]"))
    mixed = shell.type("run", "shop.csv", "--out", "mixed", "--attempts", "1")
    assert "6 calls, at least $0." in mixed.err
    assert "1 call at an unknown price, not included in the cost" in mixed.err


def test_watch_sees_the_last_calls_of_a_job_that_its_budget_has_paused(shell, begin, emulator):
    emulator.order(rule("picture", latency=2))
    shell.type("submit", "shop.csv", "--out", "job", "--budget", "0.11")
    begin("worker", "--max-in-flight", "4")

    watched = shell.type("watch", "job", "--json")

    assert watched.code == 3
    assert watched.json["state"] == "paused"
    assert watched.json["in_flight"] == 0
    assert watched.json["outcomes"]["done"] == watched.json["calls"] > 0
    kept = (shell.folder / "job" / "results.jsonl").read_text().splitlines()
    assert len(kept) == watched.json["outcomes"]["done"] + watched.json["outcomes"]["invalid"]
    assert json.loads((shell.folder / "job" / "report.json").read_text())["state"] == "paused"
