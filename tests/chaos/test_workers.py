"""Workers that are killed, frozen, told to leave, or killed by a shard again and again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.chaos.ground import LEASE, Ground
from tests.chaos.judge import judge
from tests.chaos.processes import Process
from tests.chaos.waiting import holds_for, lasts, until

#: Seconds from the end of a lease until others have taken a shard over: two sweeps, and a loaded machine.
TAKEOVER = 6.0
SLOTS = 8


def undisturbed(ground: Ground, rows: int, crew: int, slots: int, seconds: float) -> float:
    """Do a job of *rows* with *crew* workers; the seconds that it took from its first call."""
    ground.manifest(rows)
    workers = [ground.worker(slots) for _ in range(crew)]
    ground.manned(*workers)
    job = ground.submit()
    until(lambda: ground.api.summary()["calls"], 20, "the first call")
    took = ground.to_its_end(job, seconds)
    judge(ground, rows)
    ground.processes.end()
    return took


def kill_at_random(
    ground: Ground, job: str, crew: list[Process], slots: int, every: float, times: int, chance: random.Random
) -> None:
    """Kill one of *crew* every few seconds and start another in its place; none any more when the job has ended."""
    at = time.monotonic()
    for _ in range(times):
        at += every * chance.uniform(0.8, 1.2)
        until(lambda at=at: time.monotonic() > at or ground.server.state(job) == "finished", every * 3)
        if ground.server.state(job) == "finished":
            return
        place = chance.randrange(len(crew))
        ground.kill(crew[place], job)
        crew[place] = ground.worker(slots)


def test_one_of_three_is_killed_again_and_again(ground, chance):
    rows, slots = 150, 8
    ground.api.order({"latency": "uniform:0.3:0.8"})
    ground.manifest(rows)
    crew = [ground.worker(slots) for _ in range(3)]
    job = ground.submit()
    ground.manned(*crew)
    kill_at_random(ground, job, crew, slots, 1.5, 3, chance)
    ground.to_its_end(job)
    assert ground.lost
    judge(ground, rows)


@pytest.mark.timeout(900)
def test_ten_kills_cost_less_than_six_tenths_of_the_time(make_ground, api, only_in_full, chance):
    """The table of the issue: 2,000 rows, 4 s a call, 3 workers of 32 slots, one killed every 5 s, ten times."""
    rows, slots = 2000, 32
    api.begin({"latency": "4"})
    calm = undisturbed(make_ground("calm", RETOUCH_LEASE_SECONDS="10"), rows, 3, slots, 400)
    api.begin({"latency": "4"})
    ground = make_ground("chaos", RETOUCH_LEASE_SECONDS="10")
    ground.manifest(rows)
    crew = [ground.worker(slots) for _ in range(3)]
    ground.manned(*crew)
    job = ground.submit()
    until(lambda: ground.api.summary()["calls"], 20, "the first call")
    began = time.monotonic()
    kill_at_random(ground, job, crew, slots, 5, 10, chance)
    ground.to_its_end(job, 600)
    took = time.monotonic() - began
    judge(ground, rows)
    assert len(ground.lost) == 10
    print(f"undisturbed {calm:.1f} s, with ten kills {took:.1f} s: {took / calm:.2f}")
    print(f"in flight at the kills {sum(ground.lost)}, paid {api.summary()['paid']}")
    assert took <= 1.6 * calm


@pytest.mark.timeout(240)
def test_many_shards_of_a_dead_worker_are_taken_over_as_soon_by_one_that_has_as_many(
    ground, server, only_in_full
):
    """All rows wait for the pace of the job, and each worker holds as many shards as it takes at all."""
    ground.environment["RETOUCH_LEASE_SECONDS"] = "10"
    rows = 1900
    ground.manifest(rows)
    doomed, heir = ground.worker(), ground.worker()
    ground.manned(doomed, heir)
    job = ground.submit("--rpm", "240")

    def shards_of(worker: Process) -> set[int]:
        return {shard for shard, pid in server.owners(job).items() if pid == worker.pid}

    until(lambda: len(server.owners(job)) == rows / 50, 60, "all shards to be held")
    orphans = shards_of(doomed)
    assert len(orphans) > 10
    ground.kill(doomed, job)
    took = until(lambda: orphans <= shards_of(heir), 15, "all shards to be taken over")
    calls = ground.api.summary()["calls"]
    called = until(lambda: ground.api.summary()["calls"] > calls + 2, 5, "calls to go on")
    print(f"{len(orphans)} shards were taken over after {took:.1f} s, calls went on {called:.1f} s later")
    assert ground.retouch("set", job, "--rpm", "none").returncode == 0
    ground.to_its_end(job, 120)
    judge(ground, rows)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_dead_workers_rows_are_taken_over_within_fifteen_seconds(ground, server, only_in_full, busy):
    """With the lease that users have; also by a worker whose threads all wait for shards of its own."""
    rows = 500 if busy else 150
    ground.environment["RETOUCH_LEASE_SECONDS"] = "10"
    ground.api.order({"latency": "2" if busy else "1"})
    ground.manifest(rows)
    doomed = ground.worker()
    job = ground.submit()
    until(lambda: len(server.owners(job)) == 3 and ground.api.answered() > 10, 20, "it to have all shards")
    heir = ground.worker()
    ground.manned(heir)
    if busy:
        until(lambda: list(server.owners(job).values()).count(heir.pid) == 3, 20, "the heir to have as many")
    orphans = {shard for shard, pid in server.owners(job).items() if pid == doomed.pid}
    assert len(orphans) == 3
    rows_of = ground.in_flight_in(doomed, job)
    calls = {row: ground.calls(row) for row in rows_of}
    ground.kill(doomed, job)
    took = until(
        lambda: all(server.owners(job).get(shard) == heir.pid for shard in orphans),
        15,
        "all shards to be taken over",
    )
    began = until(
        lambda: any(ground.calls(row) > calls[row] for row in rows_of), 15 - took, "a call for their rows"
    )
    print(f"taken over after {took:.1f} s, called for after {took + began:.1f} s")
    ground.api.order({"latency": "0.1"})
    ground.to_its_end(job, 120)
    judge(ground, rows)


def test_a_frozen_worker_that_wakes_up_changes_nothing(ground, server, full):
    rows = 600 if full else 60
    ground.api.order({"latency": "0.6"})
    ground.manifest(rows)
    sleeper, heir = ground.worker(SLOTS), ground.worker(SLOTS)
    ground.manned(sleeper, heir)
    job = ground.submit()
    until(lambda: len(ground.in_flight_in(sleeper, job)) >= 4, 20, "calls in flight")
    sleeper.freeze()
    # An intent that was half put when it froze is whole when it wakes up: all its slots, then.
    ground.lost.append(SLOTS)
    until(
        lambda: sleeper.pid not in server.owners(job).values(),
        LEASE + TAKEOVER,
        "its shards to be taken over",
    )
    # The heir calls for the same rows; now the answers that the sleeper has in its sockets come late.
    answered = ground.api.answered()
    until(lambda: ground.api.answered() > answered, 10, "the heir to go on")
    sleeper.thaw()
    ground.to_its_end(job)
    assert sleeper.alive, "it goes on as a worker"
    judge(ground, rows)


@pytest.mark.timeout(300)
def test_workers_that_sleep_again_and_again(ground, only_in_full, chance):
    """Frozen for about as long as a lease lasts: a little less, a little more."""
    rows, times = 800, 8
    ground.api.order({"latency": "uniform:0.2:0.8"})
    ground.manifest(rows)
    crew = [ground.worker(SLOTS), ground.worker(SLOTS)]
    ground.manned(*crew)
    job = ground.submit()
    until(lambda: ground.api.answered() >= 8)
    for turn in range(times):
        sleeper = crew[turn % 2]
        sleeper.freeze()
        ground.lost.append(SLOTS)
        holds_for(lambda: ground.server.state(job) != "finished", LEASE * chance.uniform(0.9, 1.6))
        sleeper.thaw()
    ground.to_its_end(job)
    judge(ground, rows)


def test_a_job_that_is_paused_loses_nothing_with_its_worker(ground, server, only_in_full):
    rows = 150
    ground.api.order({"latency": "0.5"})
    ground.manifest(rows)
    doomed = ground.worker()
    job = ground.submit()
    until(lambda: ground.api.answered() > 10)
    assert ground.retouch("pause", job).returncode == 0
    ground.kill(doomed, job)
    heir = ground.worker()
    ground.manned(heir)
    until(
        lambda: not server.owners(job), LEASE + TAKEOVER, "its leases to run out, and results to be written"
    )
    calls = ground.api.summary()["calls"]
    assert holds_for(lambda: ground.api.summary()["calls"] == calls, 2), "a paused job costs nothing"
    assert ground.retouch("resume", job).returncode == 0
    ground.to_its_end(job)
    judge(ground, rows)


def test_a_worker_that_is_told_to_end_repeats_nothing(ground, server, full):
    rows = 600 if full else 44
    ground.api.order({"latency": "0.4"})
    ground.manifest(rows)
    leaving = ground.worker(16)
    job = ground.submit()
    until(lambda: ground.api.answered() >= 5)
    assert leaving.end() == 0
    summary = ground.api.summary()
    assert (summary["in_flight"], summary["paid"]) == (0, summary["answered"]), (
        "calls in flight were let finish"
    )
    assert not server.owners(job), "what it had is given back"
    assert not ground.in_flight()
    assert server.state(job) != "finished"
    ground.worker(16)
    ground.to_its_end(job)
    judge(ground, rows, unknown=0)
    assert ground.api.summary()["paid"] == rows


def test_a_worker_that_is_told_twice_ends_at_once(ground, only_in_full):
    ground.api.order({"latency": "20"})
    ground.manifest(20)
    leaving = ground.worker()
    job = ground.submit()
    until(lambda: ground.api.summary()["in_flight"] >= 8)
    leaving.signal(signal.SIGTERM)
    lasts(0.5)
    assert leaving.alive, "calls in flight are let finish"
    leaving.signal(signal.SIGTERM)
    leaving.wait(5)
    ground.mourn()
    ground.api.order()
    ground.worker()
    ground.to_its_end(job)
    judge(ground, 20)


def test_two_threads_never_import_celery_at_once():
    """A worker that starts with work waiting publishes in one thread while Celery starts in another.

    Both imported the same modules then, and now and again Python found a deadlock.
    """
    script = """
import sys
import workers.worker
from workers.celery.app import make_app, publish
from workers.shared.board_types import Hint
app = make_app("memory://")
app.producer_pool
before = set(sys.modules)
publish(app, [Hint("job", 1, False)])
print(sorted(name for name in set(sys.modules) - before if name.startswith("celery")))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.timeout(180)
def test_shards_of_a_lone_worker_that_is_killed_by_chance_are_not_set_aside(ground, server, only_in_full):
    """Eight lives, three shards in each: one that goes on a little, and two that wait for slots and are innocent."""
    rows, slots = 150, 6
    ground.api.order({"latency": "0.5"})
    ground.manifest(rows)
    worker = ground.worker(slots)
    job = ground.submit()
    held: Counter[int] = Counter()
    for _ in range(8):
        settled = ground.settled()
        until(lambda settled=settled: ground.settled() >= settled + 3, 30, "a life of some use")
        held.update(server.owners(job))
        ground.kill(worker, job)
        worker = ground.worker(slots)
    assert max(held.values()) > 3, "there is a shard that was held by more workers than one may die of"
    ground.to_its_end(job)
    judge(ground, rows)


def test_a_shard_that_kills_its_workers_is_set_aside(ground, server):
    """Whoever calls for rows of shard 2 is killed, three times; nobody must take it again, and the rest goes on."""
    rows, poison = 120, 2
    # Nothing of shard 2 ever comes to its end; the others go on with every worker that shares a fate with it.
    ground.api.order({"matches": r"\[\[r(5[1-9]|[6-9]\d|100)\]\]", "latency": "60"}, {"latency": "0.1"})
    ground.manifest(rows)
    crew = {worker.pid: worker for worker in [ground.worker() for _ in range(4)]}
    job = ground.submit()
    begun = 0
    for _ in range(3):
        until(
            lambda begun=begun: (
                server.owners(job).get(poison) in crew and len(ground.intents(poison)) > begun
            ),
            20,
            "a worker to call for shard 2",
        )
        ground.kill(crew.pop(server.owners(job)[poison]), job)
        begun = len(ground.intents(poison))
    # Whoever takes it a fourth time settles its rows without calling for any.
    until(lambda: server.state(job) == "finished", 60, "the job's end")
    judge(ground, rows, outcomes={"done": rows - 50, "failed": 50})
    failed = [record for record in ground.records() if record["outcome"] == "failed"]
    assert sum(record["calls"] for record in failed) <= begun
    assert {record["reason"].partition(":")[0] for record in failed} == {"set_aside"}
