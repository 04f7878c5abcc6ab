"""The disk is full, or read-only: what was paid for is kept and put again, and the job waits for room."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pipeline.failpoints import COLLECTED_STEP
from tests.chaos.disk import Disk, can_mount
from tests.chaos.ground import LEASE, Ground
from tests.chaos.judge import judge
from tests.chaos.waiting import holds_for, until

pytestmark = pytest.mark.skipif(not can_mount(), reason="mounting a tmpfs takes root")

SLOTS = 6


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path / "disk")
    yield disk
    disk.close()


@pytest.fixture
def ground(disk, make_ground) -> Ground:
    ground = make_ground()
    ground.out = disk.folder / "out"
    return ground


def calls_cease(ground: Ground) -> None:
    """While nothing can be stored, nothing is called for; what was in flight is let finish.

    So are calls whose intents were put just before: one in each slot.
    """

    def calls() -> int:
        return int(ground.api.summary()["calls"])

    def at_rest() -> bool:
        there = calls()
        return holds_for(lambda: calls() == there, 1)

    before = calls()
    until(at_rest, 10, "an end of calls whose results cannot be stored")
    assert calls() <= before + SLOTS
    ground.api.at_rest()


def test_a_run_waits_for_room(ground, disk, full):
    rows = 200 if full else 30
    ground.api.order({"latency": "0.4"})
    ground.manifest(rows)
    running = ground.running("--max-in-flight", str(SLOTS))
    until(lambda: ground.api.answered() >= SLOTS, 20)
    disk.fill()
    until(lambda: "free space" in running.log, 30, "a word that there is no room")
    calls_cease(ground)
    assert running.alive
    disk.make_room()
    assert running.wait() == 0, running.log
    judge(ground, rows)
    assert ground.api.summary()["paid"] == rows


@pytest.mark.parametrize("who", ["run", "workers"])
def test_results_wait_for_room_too(ground, disk, only_in_full, who):
    """When the disk fills up, the last small file of a shard is gone: whatever was removed later would make room."""
    ground.manifest(12)
    frozen = {"RETOUCH_FREEZE_AT": COLLECTED_STEP}
    process = ground.running(**frozen) if who == "run" else ground.worker(**frozen)
    job = ground.submit() if who == "workers" else ""
    until(lambda: process.frozen, 30, "all records to be collected")
    disk.fill()
    process.thaw()
    until(lambda: "No space left on device" in process.log, 20, "a word that there is no room")
    assert not (ground.out / "results.csv").exists()
    assert process.alive
    disk.make_room()
    if job:
        ground.to_its_end(job)
    else:
        assert process.wait() == 0
    judge(ground, 12)


def test_a_run_that_is_told_to_end_on_a_full_disk_keeps_what_it_can(ground, disk, only_in_full):
    """Twenty seconds of grace, and then the one picture in each slot may have been paid for in vain."""
    ground.api.order({"latency": "0.4"})
    ground.manifest(60)
    running = ground.running("--max-in-flight", str(SLOTS))
    until(lambda: ground.api.answered() >= SLOTS, 20)
    disk.fill()
    until(lambda: "free space" in running.log, 30)
    ground.api.at_rest()
    assert running.end(40) != 0
    ground.mourn()
    disk.make_room()
    assert ground.running().wait() == 0
    judge(ground, 60)


def test_workers_wait_for_room(ground, disk, full):
    workers_wait(ground, disk.fill, disk.make_room, "free space", 200 if full else 30)


def test_workers_wait_until_the_disk_can_be_written(ground, disk, only_in_full):
    workers_wait(ground, disk.read_only, disk.writable, "read-only", 200)


def test_workers_wait_until_the_disk_is_mounted_again(ground, disk, only_in_full):
    workers_wait(ground, disk.take_away, disk.bring_back, "mount", 200)
    assert not (disk.folder.with_name("kept") / "out").exists()


def test_a_run_waits_until_the_disk_is_mounted_again(ground, disk, only_in_full):
    ground.api.order({"latency": "0.4"})
    ground.manifest(200)
    running = ground.running("--max-in-flight", str(SLOTS))
    until(lambda: ground.api.answered() >= SLOTS, 20)
    disk.take_away()
    until(lambda: "mount its disk" in running.log, 10, "a word that the disk is gone")
    calls_cease(ground)
    assert not any(disk.folder.iterdir()), "nothing is written where it was mounted"
    disk.bring_back()
    assert running.wait() == 0, running.log
    judge(ground, 200)
    assert ground.api.summary()["paid"] == 200


def workers_wait(
    ground: Ground, break_it: Callable[[], None], mend_it: Callable[[], None], reason: str, rows: int
) -> None:
    ground.api.order({"latency": "0.4"})
    ground.manifest(rows)
    worker = ground.worker(SLOTS)
    job = ground.submit()
    ground.manned(worker)
    until(lambda: ground.api.answered() >= SLOTS, 20)
    break_it()
    broken = time.monotonic()
    calls_cease(ground)
    status = ground.status(job)
    # More than a lease: a worker that waits keeps its own.
    until(lambda: time.monotonic() > broken + LEASE)
    assert status["state"] == "waiting"
    assert reason in status["state_reason"]
    mend_it()
    ground.to_its_end(job)
    assert worker.alive
    judge(ground, rows)
    assert ground.api.summary()["paid"] == rows


def test_a_full_disk_says_so_in_the_status_of_a_run(ground, disk, only_in_full):
    """report.json itself cannot be written then: another process sees that the last one is old."""
    ground.api.order({"latency": "0.4"})
    ground.manifest(60)
    running = ground.running("--max-in-flight", str(SLOTS))
    until(lambda: ground.api.answered() >= SLOTS, 20)
    disk.fill()
    until(
        lambda: ground.status(str(ground.out))["state"] == "waiting", 15, "status to say that the job waits"
    )
    assert "disk is full" in ground.status(str(ground.out))["state_reason"]
    disk.make_room()
    until(lambda: ground.status(str(ground.out))["state"] == "running", 20, "status to say that it goes on")
    assert running.wait() == 0
    judge(ground, 60)
