"""The same thing done twice at once, and what is told to end."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.ground import Ground
from tests.chaos.judge import judge
from tests.chaos.server import Server
from tests.chaos.waiting import until

SLOTS = 6


@pytest.fixture
def second(tmp_path: Path) -> Iterator[Server]:
    """Another Redis."""
    (tmp_path / "second").mkdir()
    server = Server(tmp_path / "second")
    yield server
    server.close()


def test_workers_of_two_redis_do_not_pay_for_one_job_twice(ground, second):
    """As when a worker is started with another RETOUCH_REDIS_URL: it finds the job in the store."""
    rows = 70
    ground.api.order({"latency": "0.5"})
    ground.manifest(rows)
    crew = [ground.worker(SLOTS)]
    job = ground.submit()
    until(lambda: ground.api.answered() >= SLOTS, 20)
    crew.append(ground.worker(SLOTS, RETOUCH_REDIS_URL=f"redis://127.0.0.1:{second.port}/0"))
    until(lambda: second.state(job) == "waiting", 20, "the other to see whose the job is")
    assert "another Redis" in second.head(job)["state_reason"]
    assert ground.server.state(job) != "finished", "while it was at work"
    ground.to_its_end(job)
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows


@pytest.mark.timeout(180)
def test_a_job_whose_redis_and_workers_are_gone_goes_on_with_another(ground, second, only_in_full):
    rows = 70
    ground.api.order({"latency": "0.5"})
    ground.manifest(rows)
    doomed = ground.worker(SLOTS)
    job = ground.submit()
    until(lambda: ground.api.answered() >= SLOTS, 20)
    ground.kill(doomed, job)
    ground.server.kill()
    ground.worker(SLOTS, RETOUCH_REDIS_URL=f"redis://127.0.0.1:{second.port}/0")
    until(lambda: second.state(job) == "finished", 90, "the other to take the job")
    judge(ground, rows)


def test_two_submits_of_one_job_are_one_job(ground, full):
    """The second finds the first's folder, or is told who holds it; then it is the same job."""
    rows = 600 if full else 40
    ground.api.order({"latency": "0.2"})
    ground.manifest(rows)
    crew = [ground.worker(), ground.worker()]
    submits = [ground.submitting() for _ in range(4 if full else 2)]
    codes = [submit.wait() for submit in submits]
    assert 0 in codes
    for submit, code in zip(submits, codes, strict=True):
        assert code == 0 or (code == 2 and "is held by process" in submit.log), submit.log
    jobs = {ground.job_of(submit) for submit, code in zip(submits, codes, strict=True) if code == 0}
    assert len(jobs) == 1
    job = jobs.pop()
    ground.manned(*crew)
    assert ground.submit() == job, "while it runs"
    ground.to_its_end(job)
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows


def test_two_jobs_that_reuse_each_others_edits_at_the_same_time_pay_once(ground, only_in_full):
    rows = 200
    ground.api.order({"latency": "uniform:0.2:0.6"})
    ground.manifest(rows)
    ground.manned(ground.worker(), ground.worker())
    jobs = {}
    for name in ("one", "other"):
        ground.out = ground.folder / name
        jobs[name] = ground.submit("--reuse")
    for name, job in jobs.items():
        ground.to_its_end(job, 120)
        ground.out = ground.folder / name
        assert [record["outcome"] for record in ground.records()] == ["done"] * rows
        ground.check_pictures()
    assert ground.api.summary()["paid"] == rows


def test_of_two_runs_on_one_folder_the_second_says_who_holds_it(ground):
    rows = 16
    ground.api.order({"latency": "0.5"})
    ground.manifest(rows)
    runs = [ground.running("--max-in-flight", str(SLOTS)) for _ in range(2)]
    codes = {run.wait(): run for run in runs}
    assert set(codes) == {0, 2}
    assert f"is held by process {codes[0].pid} on " in codes[2].log
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows


def test_a_run_that_is_told_to_end_repeats_nothing(ground):
    told(ground, signal.SIGTERM, 24)


def test_a_run_that_is_interrupted_repeats_nothing(ground, only_in_full):
    told(ground, signal.SIGINT, 100)


def told(ground: Ground, number: signal.Signals, rows: int) -> None:
    ground.api.order({"latency": "0.5"})
    ground.manifest(rows)
    running = ground.running("--max-in-flight", str(SLOTS))
    until(lambda: ground.api.summary()["in_flight"] >= SLOTS, 20)
    running.signal(number)
    assert running.wait(20) == 130
    status = json.loads(running.out)
    assert (status["state"], status["calls_unknown"]) == ("queued", 0)
    summary = ground.api.summary()
    assert summary["answered"] == summary["paid"] == status["outcomes"]["done"] < rows
    ground.api.order()
    assert ground.running().wait() == 0
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows


def test_ctrl_c_twice_ends_at_once_and_leaves_whole_files(ground):
    rows = 40
    ground.manifest(rows)
    ground.api.order({"latency": "20", "after": 10})
    running = ground.running("--max-in-flight", str(SLOTS))
    until(lambda: ground.api.summary()["in_flight"] >= SLOTS and ground.api.answered() >= 10, 20)
    running.signal(signal.SIGINT)
    until(lambda: "Ctrl-C again" in running.log, 5)
    running.signal(signal.SIGINT)
    assert running.wait(5) == 130
    ground.mourn()
    assert ground.lost[-1] <= SLOTS
    for path in ground.out.rglob("*"):
        if path.suffix in (".json", ".record", ".intent"):
            json.loads(path.read_bytes())
    ground.api.order()
    assert ground.running().wait() == 0
    judge(ground, rows)
