from __future__ import annotations

import asyncio
import gzip
import secrets
from pathlib import Path

import msgspec
import pytest

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.edit import Edit
from pipeline.engine.record import record_of
from pipeline.errors import JobError, ManifestError, StoreError
from pipeline.history import History
from pipeline.job.folder import JobFolder, Planned
from pipeline.job.planfiles import PLANNED_TOGETHER
from pipeline.job.planning import Planner
from pipeline.job.registry import JobEntry, entries, find_job, newest_ended, newest_unfinished, register
from pipeline.job.results import write_results, write_status
from pipeline.job.runlock import is_run_locked, run_lock
from pipeline.job.shard import Intent, Round
from pipeline.job.spec import Spec, differences, identity, new_id
from pipeline.job.totals import exact_totals
from pipeline.manifest import open_manifest
from pipeline.record import Outcome, Record
from pipeline.status import ENDED, State, Status, Totals, counted
from pipeline.store import Bytes, DiskStore, open_store
from pipeline.timestamp import utc


def spec(**fields) -> Spec:
    values = {
        "job": "20261122-000000-abcdef",
        "out": "/out",
        "manifest": "/m.csv",
        "root": "/",
        "model": "gemini-nano-banana-2.1",
        "created_at": utc(0),
    }
    return Spec(**(values | fields))


def edit(row: int, **fields) -> Edit:
    return Edit(row=row, line=row + 1, id=str(row), name=str(row), prompt="p", **fields)


def record(row: int, outcome: Outcome = Outcome.DONE, **fields) -> Record:
    return Record(id=str(row), row=row, line=row + 1, outcome=outcome, settled_at=utc(0), **fields)


def intent(row: int, n: int, history: History | None = None) -> Intent:
    return Intent(
        row=row, n=n, variant=Variant.PLAIN, model="m", started_at=utc(0), history=history or History()
    )


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path) -> JobFolder:
    return JobFolder.at("memory:///" if request.param == "memory" else str(tmp_path / "job"))


async def test_a_specification_is_frozen(folder):
    assert await folder.spec() is None
    assert await folder.create(spec())
    assert not await folder.create(spec(prompt="another"))
    assert (await folder.spec()).prompt is None


async def test_a_strangers_folder_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")

    with pytest.raises(JobError, match=r"holds other files \(holiday.jpg"):
        await JobFolder.at(str(tmp_path)).create(spec())


async def test_a_job_json_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "job.json").write_text('{"name": "another program"}')

    with pytest.raises(JobError, match="not a retouch job"):
        await JobFolder.at(str(tmp_path)).spec()


async def test_a_settled_row_cannot_be_settled_again(folder):
    assert await folder.shards.put_record(1, record(1))
    assert not await folder.shards.put_record(1, record(1, Outcome.FAILED))
    assert await folder.shards.put_intent(1, intent(2, 1))
    assert not await folder.shards.put_intent(1, intent(2, 1))
    assert await folder.put_picture("a", "png", b"one") == "images/a.png"
    assert await folder.put_picture("a", "png", b"two") is None
    assert await folder.store.get("images/a.png") == b"one"
    assert await folder.find_picture("a") == "images/a.png"
    assert await folder.find_picture("b") is None


async def test_an_open_shard_tells_settled_interrupted_and_answered_rows_apart(folder):
    tried = History().after(
        Attempt(
            n=1,
            started_at=utc(0),
            seconds=1,
            verdict=Verdict.TEXT_ONLY,
            counted=True,
            prompt_variant=Variant.PLAIN,
        )
    )
    await folder.plans.add(1, [edit(row) for row in range(1, 6)])
    await folder.shards.put_record(1, record(1))
    await folder.shards.put_intent(1, intent(1, 1))
    await folder.shards.put_intent(1, intent(2, 1))
    await folder.shards.put_intent(1, intent(2, 2, tried))
    await folder.shards.put_intent(1, intent(3, 1))
    await folder.shards.put_tried(1, 3, tried)
    await folder.shards.put_intent(1, intent(4, 1))
    await folder.shards.put_tried(1, 4, tried)
    await folder.shards.put_intent(1, intent(4, 2, tried))

    opened = await folder.shards.open(1)

    assert [row.row for row in opened.edits] == [1, 2, 3, 4, 5]
    assert set(opened.records) == {1}
    assert {row: found.n for row, found in opened.intents.items()} == {2: 2, 4: 2}
    assert set(opened.tried) == {3}
    totals = await folder.shards.totals(1)
    # Row 2 and row 4: one answered call and one without; row 3: one answered.
    assert (totals.calls, totals.calls_unknown) == (5, 2)


async def test_totals_count_the_attempts_that_are_no_longer_listed(folder):
    history = History()
    for n in range(1, 15):
        history = history.after(
            Attempt(
                n=n,
                started_at=utc(0),
                seconds=1,
                verdict=Verdict.THROTTLED,
                counted=False,
                prompt_variant=Variant.PLAIN,
            )
        )
    await folder.plans.add(1, [edit(1), edit(2)])
    await folder.shards.put_record(1, record_of(edit(1), history, Outcome.FAILED, model="m"))
    await folder.shards.put_intent(1, intent(2, 14))
    await folder.shards.put_tried(1, 2, history)

    totals = await folder.shards.totals(1)

    assert totals.verdicts == {"throttled": 28}
    assert totals.calls == 28


async def test_folding_keeps_the_records_and_drops_the_small_files(folder):
    await folder.plans.add(1, [edit(1), edit(2)])
    for row in (2, 1):
        await folder.shards.put_intent(1, intent(row, 1))
        await folder.shards.put_record(1, record(row, cost_usd=0.5, calls=1))

    totals = await folder.shards.fold(1, [record(2, cost_usd=0.5, calls=1), record(1, cost_usd=0.5, calls=1)])

    assert totals == await folder.shards.folded(1) == await folder.shards.totals(1)
    assert (totals.settled, totals.calls, totals.cost_usd) == (2, 2, 1.0)
    assert await folder.shards.open(1) is None
    assert await folder.store.names(".retouch/shards/000001/r1") == ["folded", "plan"]
    lines = (await folder.shards.settled_lines(1)).splitlines()
    assert [msgspec.json.decode(line, type=Record).row for line in lines] == [1, 2]


async def test_a_folded_shard_that_is_cut_off_is_named(tmp_path):
    folder = JobFolder.at(str(tmp_path))
    await folder.shards.fold(1, [record(1), record(2)])
    folded = next(tmp_path.rglob("folded"))
    folded.write_bytes(folded.read_bytes()[:-20])

    with pytest.raises(JobError, match=r"folded is damaged \(it is cut off\): restore it"):
        await folder.shards.settled_lines(1)


async def test_a_record_is_one_line_to_every_reader(folder):
    """Also to those that end a line wherever Unicode does, such as ``str.splitlines``."""
    said = "one\x85two\u2028three\u2029four\nfive"
    await folder.plans.add(1, [edit(1), edit(2)])
    await folder.shards.put_record(1, record(1, text=said))
    before = await folder.shards.settled_lines(1)
    await folder.shards.fold(1, [record(1, text=said)])

    for lines in (before, await folder.shards.settled_lines(1)):
        [line] = lines.decode().splitlines()
        assert msgspec.json.decode(line, type=Record).text == said


async def test_totals_of_an_untouched_shard_are_nothing(folder):
    await folder.plans.add(1, [edit(1)])

    assert await folder.shards.totals(1) == Totals()
    assert await exact_totals(folder, 1) == Totals()


def planner(tmp_path, rows: int, folder: JobFolder, **fields) -> Planner:
    manifest = tmp_path / "m.csv"
    if not manifest.exists():
        manifest.write_text("image,prompt\n" + "".join(f"{n}.png,edit {n}\n" for n in range(1, rows + 1)))
    asked = spec(manifest=str(manifest), shard_rows=10, **fields)
    read = open_manifest(str(manifest), prompt=None, limit=asked.limit)
    return Planner(folder, read, asked)


async def numbers_of(planning: Planner) -> list[int]:
    return [number async for number in planning.numbers()]


async def test_a_manifest_is_cut_into_shards(tmp_path, folder):
    planning = planner(tmp_path, 25, folder)

    planned = await planning.read()

    assert (planned.rows, planned.shards) == (25, 3)
    assert planned.cost_usd > 25 * 0.0336
    assert await numbers_of(planning) == [1, 2, 3]
    assert [row.row for row in await folder.plans.of(3)] == [21, 22, 23, 24, 25]


class OthersPlans(DiskStore):
    """A disk of which plans are not ours to read."""

    async def get(self, path: str, size: int | None = None) -> bytes | None:
        if path.endswith("/plan"):
            raise StoreError(f"{path}: cannot read")
        return await super().get(path, size)


async def test_who_may_not_read_plans_knows_how_many_there_are(tmp_path):
    await planner(tmp_path, 25, JobFolder.at(str(tmp_path / "job"))).read()

    assert await JobFolder(OthersPlans(tmp_path / "job")).plans.count() == 3


async def test_planning_goes_on_after_the_last_whole_shard(tmp_path, folder):
    await planner(tmp_path, 25, folder).read()
    before = await folder.plans.of(1)
    await folder.store.delete([".retouch/planned", ".retouch/shards/000003/r1/plan"])

    planned = await planner(tmp_path, 25, folder).read()

    assert (planned.rows, planned.shards) == (25, 3)
    assert await folder.plans.of(1) == before
    assert [row.row for row in await folder.plans.of(3)] == [21, 22, 23, 24, 25]


async def test_a_larger_limit_adds_rows_and_a_smaller_one_takes_none_back(tmp_path, folder):
    assert (await planner(tmp_path, 25, folder, limit=12).read()).rows == 12
    assert (await planner(tmp_path, 25, folder, limit=5).read()).rows == 12
    planned = await planner(tmp_path, 25, folder, limit=None).read()

    rows = [row.row for shard in range(1, planned.shards + 1) for row in await folder.plans.of(shard)]
    assert rows == list(range(1, 26))


async def test_a_changed_manifest_is_refused(tmp_path, folder):
    await planner(tmp_path, 25, folder).read()
    (tmp_path / "m.csv").write_text("image,prompt\nother.png,p\n")

    with pytest.raises(JobError, match="has changed since"):
        await planner(tmp_path, 0, folder).read()


def lines(first: int, last: int, prompt: str) -> list[str]:
    return [f"{n}.png,{prompt} {n}" for n in range(first, last + 1)]


def write_manifest(tmp_path, *rows: str) -> None:
    (tmp_path / "m.csv").write_text("\n".join(["image,prompt", *rows]) + "\n")


async def prompts_of(folder: JobFolder, shards: int) -> list[str]:
    return [row.prompt for shard in range(1, shards + 1) for row in await folder.plans.of(shard)]


async def leave_a_gap(tmp_path, folder: JobFolder, shard: int) -> None:
    """What a process leaves that was killed while it planned: *shard* is not planned, those behind it are."""
    write_manifest(tmp_path, *lines(1, 95, "first"))
    await planner(tmp_path, 0, folder).read()
    await folder.store.delete([".retouch/planned", f".retouch/shards/{shard:06d}/r1/plan"])


async def test_plans_behind_a_gap_are_made_anew_from_the_mended_manifest(tmp_path, folder):
    await leave_a_gap(tmp_path, folder, 4)
    assert await folder.plans.count() == 3
    write_manifest(tmp_path, *lines(1, 33, "first"), *lines(34, 95, "second"))

    planned = await planner(tmp_path, 0, folder).read()

    assert (planned.rows, planned.shards) == (95, 10)
    words = [prompt.partition(" ")[0] for prompt in await prompts_of(folder, 10)]
    assert words == ["first"] * 33 + ["second"] * 62


async def test_a_mended_manifest_that_is_shorter_leaves_no_plan_behind_its_end(tmp_path, folder):
    await leave_a_gap(tmp_path, folder, 4)
    write_manifest(tmp_path, *lines(1, 38, "first"))

    planned = await planner(tmp_path, 0, folder).read()

    assert (planned.rows, planned.shards) == (38, 4)
    assert await folder.plans.count() == 4


async def test_a_plan_that_is_gone_though_those_behind_it_were_worked_on_is_told(tmp_path, folder):
    await leave_a_gap(tmp_path, folder, 4)
    await folder.shards.put_intent(6, intent(51, 1))

    with pytest.raises(JobError, match="the plan of shard 4 is gone"):
        await planner(tmp_path, 0, folder).read()

    assert await folder.plans.of(6)


async def test_rows_that_another_has_planned_meanwhile_are_not_taken_for_ours(tmp_path, folder):
    await folder.plans.add(1, [edit(1)])
    await folder.plans.add(1, [edit(1)])

    with pytest.raises(JobError, match="another process has planned shard 1 with other rows"):
        await folder.plans.add(1, [edit(2)])


class Stalled(DiskStore):
    """A disk whose process stands still when a shard has just been folded."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folding, self.gate = asyncio.Event(), asyncio.Event()

    async def names(self, prefix: str) -> list[str]:
        if prefix.endswith("/r1"):
            self.folding.set()
            await self.gate.wait()
        return await super().names(prefix)


async def test_a_round_that_is_opened_while_a_shard_is_being_folded_loses_nothing(tmp_path):
    store = Stalled(tmp_path / "job")
    mine, other = JobFolder(store), JobFolder(DiskStore(tmp_path / "job"))
    await mine.plans.add(1, [edit(1)])
    await mine.shards.put_record(1, record(1, Outcome.FAILED))
    folding = asyncio.create_task(mine.shards.fold(1, [record(1, Outcome.FAILED)]))
    await store.folding.wait()
    await other.plans.add_to_round(2, {1: [edit(1)]})
    await other.rounds.open(Round(number=2, shards=[1], opened_at=utc(0)))
    await other.shards.put_intent(1, intent(1, 2))
    await other.shards.put_record(1, record(1))
    await mine.rounds.refresh()

    store.gate.set()
    await folding

    opened = await other.shards.open(1)
    assert opened.records[1].outcome is Outcome.DONE


class Gated(DiskStore):
    """A disk on which the plan of one shard comes late, or never."""

    def __init__(self, folder: Path, shard: int) -> None:
        super().__init__(folder)
        self.late = f".retouch/shards/{shard:06d}/r1/plan"
        self.gate = asyncio.Event()
        self.fault: StoreError | None = None
        self.begun: list[str] = []
        self.made = asyncio.Semaphore(0)

    async def put_new(self, path: str, data: Bytes, *, private: bool = False) -> bool:
        self.begun.append(path)
        if path == self.late:
            await self.gate.wait()
            if self.fault:
                raise self.fault
        made = await super().put_new(path, data, private=private)
        self.made.release()
        return made


async def announced(planning: Planner, seen: list[int]) -> None:
    async for number in planning.numbers():
        seen.append(number)  # noqa: PERF401 - somebody looks meanwhile


async def test_plans_are_put_some_at_a_time_and_announced_in_order(tmp_path):
    store, seen = Gated(tmp_path / "job", shard=3), []
    planning = planner(tmp_path, 1000, JobFolder(store))
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(announced(planning, seen))
        reading = group.create_task(planning.read())
        for _ in range(1 + 2 + PLANNED_TOGETHER - 1):  # the manifest's mark, and all plans but the late one
            await store.made.acquire()
        assert (seen, planning.shards, planning.rows) == ([1, 2], 2, 20)
        assert sum(path.endswith("/plan") for path in store.begun) == 2 + PLANNED_TOGETHER
        assert await JobFolder(DiskStore(tmp_path / "job")).plans.count() == 2
        store.gate.set()
    assert seen == list(range(1, 101))
    assert (reading.result().rows, planning.shards, planning.rows) == (1000, 100, 1000)


async def test_what_is_planned_before_the_store_fails_is_not_lost(tmp_path):
    store, seen = Gated(tmp_path / "job", shard=3), []
    store.fault = StoreError("no room")
    store.gate.set()
    planning = planner(tmp_path, 1000, JobFolder(store))

    with pytest.raises(StoreError, match="no room"):
        await planning.read()

    await announced(planning, seen)
    assert (seen, planning.rows, planning.planned) == ([1, 2], 20, None)
    store.fault = None
    assert (await planner(tmp_path, 0, JobFolder(store)).read()).rows == 1000


async def test_what_is_planned_before_a_manifest_breaks_off_is_not_lost(tmp_path, folder):
    path = tmp_path / "m.jsonl.gz"
    rows = (f'{{"id": "r{n}", "prompt": "{secrets.token_hex(99)}"}}\n' for n in range(999))
    whole = gzip.compress("".join(rows).encode())
    path.write_bytes(whole[: len(whole) // 2])
    asked = spec(manifest=str(path), shard_rows=10)
    planning = Planner(folder, open_manifest(str(path), prompt=None, limit=None), asked)

    with pytest.raises(ManifestError, match="truncated or damaged"):
        await planning.read()

    assert planning.shards == await folder.plans.count() > 10
    assert await numbers_of(planning) == list(range(1, planning.shards + 1))


async def test_those_who_wait_for_shards_are_told_when_reading_fails(tmp_path, folder):
    planning = planner(tmp_path, 25, folder)
    (tmp_path / "m.csv").unlink()

    with pytest.raises((ManifestError, OSError)):
        await planning.read()

    assert await numbers_of(planning) == []


def test_what_may_differ_and_what_may_not():
    there = spec()

    assert differences(there, spec(limit=5, rpm=1, max_in_flight=2, budget=3, timeout=4)) == []
    assert differences(there, spec(prompt="x", aspect_ratio="1:1")) == ["--prompt", "--aspect-ratio"]
    assert differences(there, spec(manifest="/other.csv")) == ["manifest"]
    assert identity(there) == identity(spec(limit=5)) != identity(spec(prompt="x"))
    assert new_id(there, 0) == f"19700101-000000-{identity(there)}"


async def test_the_newest_unfinished_job_is_taken_up(tmp_path):
    registry = open_store(tmp_path / "store")
    wanted = spec()
    for second in (0, 10):
        job = new_id(wanted, second)
        folder = JobFolder.at(f"{registry.url}/{job}")
        await folder.create(msgspec.structs.replace(wanted, job=job, out=folder.store.url))
        await register(registry, JobEntry(job=job, out=folder.store.url))

    newest = await newest_unfinished(registry, wanted)

    assert newest.job == new_id(wanted, 10)
    assert await newest_unfinished(registry, spec(prompt="another")) is None
    assert [entry.job for entry in await entries(registry)] == [new_id(wanted, 0), new_id(wanted, 10)]
    assert await find_job(registry, newest.job) == newest
    assert (await find_job(registry, newest.out)).job == newest.job
    with pytest.raises(JobError, match="no job 'nonsense'"):
        await find_job(registry, "nonsense")


async def begun(registry, second: int, state: State, limit: int | None) -> str:
    """A job of ten rows, or its first *limit*, that has come to *state*."""
    job = new_id(spec(), second)
    folder = JobFolder.at(f"{registry.url}/{job}")
    await folder.create(spec(job=job, out=folder.store.url))
    await register(registry, JobEntry(job=job, out=folder.store.url))
    planned = Planned(bytes=1, sha256="", rows=limit or 10, shards=1, cost_usd=None, limit=limit)
    await folder.finish_plan(planned)
    status = Status(job=job, out=folder.store.url, state=state, submitted_at=utc(0))
    await write_status(folder, status)
    return job


@pytest.mark.parametrize(
    ("jobs", "limit", "taken"),
    [
        ([(State.FINISHED, 5)], None, 0),
        ([(State.FINISHED, 5)], 7, 0),
        ([(State.FINISHED, 5)], 5, None),
        ([(State.FINISHED, None)], None, None),
        ([(State.FINISHED, 5), (State.FINISHED, None)], None, None),
        ([(State.FINISHED, 5), (State.CANCELLED, None)], None, None),
        ([(State.FINISHED, 5), (State.FINISHED, 7)], None, 1),
        ([(State.FINISHED, None), (State.FINISHED, 5)], None, 1),
        ([(State.PAUSED, 5), (State.FINISHED, None)], None, 0),
        ([(State.PAUSED, 5), (State.HALTED, None)], None, 1),
        ([(State.FINISHED, 5), (State.PAUSED, None)], 3, None),
    ],
)
async def test_which_job_a_command_goes_on_with(tmp_path, jobs, limit, taken):
    registry = open_store(tmp_path / "store")
    names = [await begun(registry, second, *job) for second, job in enumerate(jobs)]

    found = await newest_unfinished(registry, spec(limit=limit))

    assert (found and found.job) == (None if taken is None else names[taken])
    over = [name for name, (state, _) in zip(names, jobs, strict=True) if state in ENDED]
    assert await newest_ended(registry, spec(limit=limit)) == (over[-1] if over else None)


async def test_results_of_a_job_that_is_not_finished_hold_what_is_settled(tmp_path):
    folder = JobFolder.at(str(tmp_path / "job"))
    await folder.plans.add(1, [edit(1), edit(2)])
    await folder.plans.add(2, [edit(3)])
    await folder.shards.put_record(1, record(2))
    await folder.shards.fold(2, [record(3)])
    totals = await exact_totals(folder, 2)
    status = counted(Status(job="j", out="o", state=State.PAUSED, rows=3), totals)

    await write_results(folder, 2, status, spec(root=str(tmp_path)))

    lines = (tmp_path / "job/results.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line)["row"] for line in lines] == [2, 3]
    assert (tmp_path / "job/results.csv").read_text("utf-8-sig").count("\n") == 3
    assert "<html" in (tmp_path / "job/report.html").read_text()
    assert status.outcomes == {
        "done": 2,
        "blocked": 0,
        "failed": 0,
        "invalid": 0,
        "cancelled": 0,
        "pending": 1,
    }


async def test_a_folder_has_one_run_at_a_time(tmp_path):
    store = open_store(tmp_path)
    assert not await is_run_locked(store)
    async with run_lock(store):
        assert await is_run_locked(store)
        with pytest.raises(JobError, match="is held by process"):
            async with run_lock(store):
                pass
    assert not await is_run_locked(store)


@pytest.mark.parametrize("what", [".retouch/run.lock/in the way", ".retouch"])
async def test_a_lock_that_cannot_be_written_is_one_sentence(tmp_path, what):
    path = tmp_path / what
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    with pytest.raises(StoreError, match=r"run\.lock: cannot write \("):
        async with run_lock(DiskStore(tmp_path)):
            pass

    assert not await is_run_locked(DiskStore(tmp_path))
