"""Killed at every named step of a row: nothing is lost, and at most the calls in flight are paid for twice."""

from __future__ import annotations

import signal

import pytest

from pipeline.failpoints import STEPS
from tests.chaos.ground import Ground
from tests.chaos.judge import judge
from tests.chaos.waiting import until

ROWS = 60
SLOTS = 6
#: Which of its steps is a process's last: the first, one amid others, one when slots have turned over.
TIMES = (1, 4, 15)


def killed_at(step: str, times: int) -> str:
    return f"{step}:{1 if step == 'folded' else times}"


def run_and_die(ground: Ground, at: str) -> None:
    running = ground.running("--max-in-flight", str(SLOTS), RETOUCH_KILL_AT=at)
    assert running.wait() == -signal.SIGKILL, f"{at} was never reached:\n{running.log}"
    ground.mourn()
    assert ground.lost[-1] <= SLOTS


def test_a_run_dies_at_every_step_in_turn(ground):
    """Eight processes, one job: each goes on where the one before was killed."""
    ground.manifest(ROWS)
    for step in STEPS:
        run_and_die(ground, killed_at(step, 4))
    status = ground.status(str(ground.out))
    assert status["state"] == "queued"
    assert status["outcomes"]["done"] == ground.settled() < ROWS, "of the records, not of the last report"
    assert status["calls_unknown"] >= ground.lost[-1]
    assert ground.running().wait() == 0
    judge(ground, ROWS)


def test_rows_that_cost_nothing_are_settled_anew(ground):
    """Their records wait for the fold of the shard: killed before it, they come to the same end."""
    ground.manifest(ROWS)
    (ground.folder / "p1.png").unlink()
    for row in range(51, ROWS + 1):
        (ground.folder / f"p{row}.png").unlink()
    run_and_die(ground, "settled:55")
    assert not any(ground.out.glob(".retouch/shards/000002/r1/*.record")), "left to the fold"
    assert ground.running().wait() == 1
    judge(ground, ROWS, outcomes={"done": 49, "invalid": 11})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("step", STEPS)
def test_a_run_dies_at_a_step(make_ground, only_in_full, api, step):
    for times in TIMES:
        ground = make_ground(f"shop{times}")
        api.begin({"latency": "uniform:0.01:0.2"})
        ground.manifest(ROWS)
        run_and_die(ground, killed_at(step, times))
        run_and_die(ground, killed_at("kept", 1))
        assert ground.running().wait() == 0
        judge(ground, ROWS)


def test_workers_die_at_steps(ground, full, chance):
    """One worker for each step, on one job; then one that lives. In the short form four of the steps, by chance."""
    # Each takes over from the one before it: as many leases run out.
    ground.environment["RETOUCH_LEASE_SECONDS"] = "1"
    steps = STEPS if full else chance.sample(STEPS, 4)
    rows = 700 if full else 180
    ground.api.order({"latency": "0.1"})
    ground.manifest(rows)
    # So late that each has settled rows of the shards that it takes down with it.
    doomed = [ground.worker(SLOTS * 2, RETOUCH_KILL_AT=killed_at(step, 13)) for step in steps]
    job = ground.submit()
    until(lambda: not any(worker.alive for worker in doomed), 60, "every worker to die at its step")
    assert {worker.code for worker in doomed} == {-signal.SIGKILL}
    ground.worker(SLOTS * 2)
    ground.to_its_end(job)
    # What each had in flight nobody could see: the others went on at once. All its slots, then.
    ground.lost = [SLOTS * 2] * len(doomed)
    judge(ground, rows)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("wakes", ["amid", "late"])
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_freezes_at_a_step_changes_nothing_when_it_wakes_up(ground, server, full, step, wakes):
    """For longer than its lease, in the midst of a put for instance: amid what another does, or after all of it."""
    if not (full or (step, wakes) == ("verified", "late")):
        pytest.skip("two minutes for all: pytest tests/chaos --full")
    ground.api.order({"latency": "0.2"})
    ground.manifest(ROWS)
    sleeper = ground.worker(SLOTS, RETOUCH_FREEZE_AT=killed_at(step, 8))
    job = ground.submit()
    until(lambda: sleeper.frozen, 30, f"it to reach {step}")
    asleep = set(server.owners(job))
    ground.lost.append(SLOTS)
    heir = ground.worker(SLOTS)
    until(
        lambda: all(ground.folded(shard) or heir.pid == server.owners(job).get(shard) for shard in asleep),
        30,
        "its shards to be taken over",
    )
    if wakes == "late":
        ground.to_its_end(job)
    sleeper.thaw()
    ground.to_its_end(job)
    assert sleeper.end() == 0
    judge(ground, ROWS)


@pytest.mark.timeout(120)
def test_a_worker_that_wakes_up_adopts_no_picture_of_a_later_call(ground, server, only_in_full):
    """It knows the shard as it was when it fell asleep: of the call that made the picture it has never heard."""
    ground.manifest(SLOTS)
    dead = ground.worker(SLOTS, RETOUCH_KILL_AT="begun:6")
    job = ground.submit()
    assert dead.wait() == -signal.SIGKILL
    ground.lost.append(SLOTS)
    sleeper = ground.worker(SLOTS, RETOUCH_FREEZE_AT="opened:1")
    until(lambda: sleeper.frozen, 30, "the shard to be opened")
    heir = ground.worker(SLOTS, RETOUCH_FREEZE_AT="kept:1")
    until(lambda: heir.frozen, 30, "a picture to be put, and no record")
    ground.lost.append(SLOTS)
    sleeper.thaw()
    until(lambda: "lease_lost" in sleeper.log or ground.settled(), 30, "the sleeper to look at its rows")
    heir.thaw()
    ground.to_its_end(job)
    judge(ground, SLOTS)


@pytest.mark.timeout(120)
def test_a_worker_that_wakes_up_writes_no_results_over_later_ones(ground, server, only_in_full):
    """It was about to write what came of the job; then the job was ended, retried and ended again by another."""
    ground.api.order({"answer": "text_only", "contains": "[[r1]]"})
    ground.manifest(ROWS)
    sleeper = ground.worker(SLOTS, RETOUCH_FREEZE_AT="collected:1")
    job = ground.submit("--attempts", "1")
    until(lambda: sleeper.frozen, 30, "the results to be collected")
    ground.worker(SLOTS)
    ground.to_its_end(job)
    assert [record["outcome"] for record in ground.records()].count("failed") == 1
    ground.api.order()
    assert ground.retouch("retry", job, "--yes").returncode == 0
    ground.to_its_end(job)
    sleeper.thaw()
    assert sleeper.end() == 0
    assert [record["outcome"] for record in ground.records()] == ["done"] * ROWS
    assert ground.report()["outcomes"]["done"] == ROWS


@pytest.mark.timeout(300)
def test_a_worker_dies_at_a_step_and_is_started_again(make_ground, only_in_full, api):
    for step in STEPS:
        ground = make_ground(step)
        api.begin({"latency": "0.1"})
        ground.manifest(ROWS)
        job = ground.submit()
        dying = ground.worker(SLOTS, RETOUCH_KILL_AT=killed_at(step, 15))
        assert dying.wait() == -signal.SIGKILL
        ground.mourn()
        assert ground.lost[-1] <= SLOTS
        ground.worker(SLOTS)
        ground.to_its_end(job)
        judge(ground, ROWS)
        # The next job is for its own workers.
        ground.processes.end()
