"""Killed while plans are put, some at a time: whatever gaps that leaves, the manifest that is there then is done."""

from __future__ import annotations

import json
import signal

from pipeline.failpoints import PLAN_STEP
from tests.chaos.ground import Ground
from tests.chaos.judge import judge

ROWS, MANY, SHARD = 1_200, 10_000, 50
#: Which plan is a process's last: the first, some of those that are put at once, one when the first are all put.
TIMES = (1, 3, 9)


def lines_of(rows: int, version: int, after: int = 0) -> list[str]:
    """The rows behind row *after*; one of each shard has a picture, the others are invalid and cost no call."""
    return [
        f"r{row},{'gone' if row % SHARD else f'p{row // SHARD}'}.png,version {version} [[r{row}]]"
        for row in range(after + 1, rows + 1)
    ]


def write(ground: Ground, lines: list[str]) -> None:
    (ground.folder / "shop.csv").write_text("\n".join(["id,image,prompt", *lines]) + "\n")


def planned(ground: Ground) -> list[int]:
    """The shards that have a plan."""
    return sorted(int(path.parts[-3]) for path in ground.out.glob(".retouch/shards/*/r1/plan"))


def mend(ground: Ground, rows: int, version: int) -> list[str]:
    """Write another version of the manifest, with the same rows up to the first gap; its rows."""
    there = planned(ground)
    whole = next((n for n in range(len(there)) if there[n] != n + 1), len(there)) * SHARD
    kept = (ground.folder / "shop.csv").read_text().splitlines()[1 : whole + 1]
    lines = [*kept, *lines_of(rows, version, whole)]
    write(ground, lines)
    return lines


def prompts(lines: list[str]) -> list[str]:
    return [line.rpartition(",")[2] for line in lines]


def test_a_run_dies_while_it_plans_and_the_manifest_is_mended_each_time(ground):
    ground.manifest(ROWS // SHARD)  # makes the pictures
    write(ground, lines_of(ROWS, 0))
    for version, times in enumerate(TIMES, 1):
        running = ground.running(RETOUCH_KILL_AT=f"{PLAN_STEP}:{times}")
        assert running.wait() == -signal.SIGKILL, running.log
        ground.mourn()
        lines = mend(ground, ROWS, version)
    assert ground.running().wait() == 1, "of the invalid rows"
    judge(ground, ROWS, outcomes={"done": ROWS // SHARD, "invalid": ROWS - ROWS // SHARD})
    assert [record["prompt"] for record in ground.records()] == prompts(lines)


def test_a_submit_dies_while_it_plans_and_the_manifest_is_mended_each_time(ground):
    write(ground, lines_of(MANY, 0))
    command = ("submit", "shop.csv", "--out", str(ground.out), "--json", "--yes")
    for version, times in enumerate(TIMES, 1):
        submitting = ground.launch(*command, RETOUCH_KILL_AT=f"{PLAN_STEP}:{times}")
        assert submitting.wait() == -signal.SIGKILL, submitting.log
        print("planned:", planned(ground))
        lines = mend(ground, MANY, version)
    ground.submit()
    plans = sorted(ground.out.glob(".retouch/shards/*/r1/plan"))
    edits = [json.loads(line) for plan in plans for line in plan.read_text().splitlines()]
    assert [edit["row"] for edit in edits] == list(range(1, MANY + 1))
    assert [edit["prompt"] for edit in edits] == prompts(lines)
