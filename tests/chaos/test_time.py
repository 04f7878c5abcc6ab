"""Answers that never end, and clocks that are wrong: a job ends in bounded time, by time that passes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.chaos.ground import Ground
from tests.chaos.judge import judge
from tests.chaos.waiting import until

ROWS, DEADLINE = 12, 1.2

#: Debian's package faketime.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
needs_faketime = pytest.mark.skipif(LIBRARY is None, reason="apt-get install faketime")

#: The emulator's slowest: a byte each of its ticks.
DRIBBLE: dict[str, object] = {"answer": "slow_body", "bytes_per_second": 1}
HANG: dict[str, object] = {"answer": "hang"}


def test_rows_whose_answers_never_end_are_settled(ground):
    """Two of each kind: one recovers at the second try, one never does."""
    ground.api.order(
        DRIBBLE | {"contains": "[[r1]]"},
        DRIBBLE | {"contains": "[[r2]]", "times_per_token": 1},
        HANG | {"contains": "[[r3]]"},
        HANG | {"contains": "[[r12]]", "times_per_token": 1},
    )
    ground.manifest(ROWS)
    began = time.monotonic()
    assert ground.running("--timeout", str(DEADLINE), "--attempts", "2").wait() == 1
    assert time.monotonic() - began < 2 * DEADLINE + 25
    judge(ground, ROWS, unknown=6, outcomes={"done": ROWS - 2, "failed": 2})
    assert all((record["reason"] or "timeout: ").startswith("timeout: ") for record in ground.records())


def test_workers_settle_the_last_row_too(ground, only_in_full):
    ground.api.order(DRIBBLE | {"contains": "[[r1]]"}, HANG | {"contains": "[[r12]]"})
    ground.manifest(ROWS)
    worker = ground.worker()
    ground.manned(worker)
    job = ground.submit("--timeout", str(DEADLINE), "--attempts", "3")
    assert ground.to_its_end(job, 3 * DEADLINE + 15)
    judge(ground, ROWS, unknown=6, outcomes={"done": ROWS - 2, "failed": 2})


def wrong_clock(**how: str) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong; monotonic time is not a clock, and passes as ever."""
    preloaded = {"LD_PRELOAD": str(LIBRARY), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    return {**preloaded, "FAKETIME_CACHE_DURATION": "1", **how}


@needs_faketime
@pytest.mark.parametrize("by", ["-1h", "+1h"])
def test_a_worker_whose_clock_is_an_hour_off_works_with_the_others(ground, server, only_in_full, by):
    rows = 600
    ground.api.order({"latency": "0.5"})
    ground.manifest(rows)
    right = ground.worker()
    wrong = ground.worker(**wrong_clock(FAKETIME=by))
    ground.manned(right, wrong)
    job = ground.submit()
    # Both hold shards for longer than a lease, and neither takes the other's.
    until(lambda: {right.pid, wrong.pid} <= set(server.owners(job).values()), 20, "both to have shards")
    ground.to_its_end(job)
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows
    assert len(_hours(ground)) > 1, "one clock was wrong indeed"


@needs_faketime
def test_a_clock_that_is_wrong_and_jumps_in_the_midst_of_a_job(ground, server, full, tmp_path):
    """One worker of two begins an hour late, then its clock is put forward, back by a day, and right."""
    # More shards than one worker's threads, so that both have some.
    rows = 600 if full else 180
    says = tmp_path / "clock"
    says.write_text("-1h")
    ground.api.order({"latency": "0.5" if full else "0.3"})
    ground.manifest(rows)
    # Only a clock may cost a lease here, and no machine with much else to do.
    environment = wrong_clock(FAKETIME_TIMESTAMP_FILE=str(says), RETOUCH_LEASE_SECONDS="10")
    crew = [ground.worker(**environment), ground.worker(RETOUCH_LEASE_SECONDS="10")]
    ground.manned(*crew)
    job = ground.submit()
    until(lambda: ground.in_flight_in(crew[0], job), 20, "the one whose clock is wrong to call")
    for jump in ("+2h", "-26h", "+0"):
        answered = ground.api.answered()
        until(lambda answered=answered: ground.api.answered() > answered + 8, 20)
        says.write_text(jump)
        os.utime(says)
    ground.to_its_end(job)
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows
    assert len(_hours(ground)) > 1, "one clock was wrong indeed"


def _hours(ground: Ground) -> set[str]:
    """The hours in which calls were begun, by the clocks of those who made them."""
    return {attempt["started_at"][:13] for record in ground.records() for attempt in record["attempts"]}
