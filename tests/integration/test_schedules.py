"""Schedules by real processes: schedulers, a worker, a server, the emulator."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import msgspec
import pytest
from PIL import Image

from jobs.schedule.book import ScheduleBook
from jobs.schedule.schedule import At
from jobs.schedule.slots import SlotOutcome
from pipeline.failpoints import SLOT_STEPS
from pipeline.gemini.emulator import Options, Studio, in_thread, rule
from pipeline.store import open_store
from tests.integration.crew import Crew, own_redis, wait_for
from tests.integration.receiver import receiving


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """An emulator, a server and a worker."""
    with own_redis() as url, in_thread(Options(studio=Studio(shrink=6, format="jpeg"))) as emulator:
        crew = Crew(tmp_path_factory.mktemp("stage"), emulator, url)
        crew.worker(8)
        yield emulator, url
        crew.end()


class Timetable(Crew):
    """A crew that works by the clock."""

    @property
    def photos(self):
        folder = self.folder / "photos"
        folder.mkdir(exist_ok=True)
        return folder

    def picture(self, name: str, shade: int) -> None:
        Image.new("RGB", (64, 48), (shade, 99, 200 - shade)).save(self.photos / f"{name}.png")

    def add(
        self, *timing: str, words: tuple[str, ...] = ("photos", "--prompt", "make it blue")
    ) -> dict[str, Any]:
        return self.said("add", "nightly", *timing, "--json", "--", *words)

    def said(self, *words: str) -> Any:
        done = self.retouch("schedule", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def due_now(self, *words: str) -> None:
        """Add a schedule that was due a second ago."""
        self.add("--at", "2099-01-01", **({"words": words} if words else {}))
        asyncio.run(self._bring_forward())
        self.redis.incr(f"retouch:changed:{self.folder / 'store'}")

    async def _bring_forward(self) -> None:
        book = ScheduleBook(open_store(self.folder / "store"))
        there = await book.schedule("nightly")
        due = At(int(time.time()) - 1)
        await book.put(msgspec.structs.replace(there, version=there.version + 1, when=due, since=0))

    def runs(self) -> list[dict[str, Any]]:
        return self.said("show", "nightly", "--json")["runs"]

    def history(self) -> list[SlotOutcome]:
        """What the book says, without a process."""
        return asyncio.run(ScheduleBook(open_store(self.folder / "store")).history("nightly", None))

    def run_now(self) -> dict[str, Any]:
        return self.said("run", "nightly", "--json")

    def finished(self, outcome: dict[str, Any]) -> list[str]:
        """Wait for the job; the names of the pictures that it has edited."""
        self.to_its_end(outcome["job"])
        lines = (self.folder / outcome["out"] / "results.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        assert {record["outcome"] for record in records} == {"done"}
        return [record["inputs"][0]["path"] for record in records]

    def paid(self) -> int:
        return sum(tally.paid for tally in self.emulator.ledger.tokens().values())


@pytest.fixture
def crew(stage, tmp_path):
    emulator, url = stage
    emulator.order()
    emulator.ledger.clear()
    crew = Timetable(tmp_path, emulator, url)
    started = []
    start = crew.start

    def starting(*words: str):
        started.append(start(*words))
        return started[-1]

    crew.start = starting
    yield crew
    for process in started:
        process.kill()
        process.communicate()
    crew.all_is_still()
    crew.end()


def calls(crew) -> int:
    return crew.emulator.ledger.summary()["calls"]


def test_two_schedulers_make_one_job_of_a_slot_and_end_in_order(crew):
    for shade in range(3):
        crew.picture(f"p{shade}", shade * 40)
    schedulers = [crew.start("-v", "scheduler"), crew.start("-v", "scheduler")]
    wait_for(lambda: crew.redis.exists(f"retouch:scheduler:{crew.folder / 'store'}"))
    crew.due_now()

    wait_for(crew.history)
    (run,) = crew.runs()
    assert run["ended"] == "started"
    assert run["picked"] == {"new": 3, "changed": 0, "again": 0, "unchanged": 0, "left": 0}
    assert crew.finished(run) == ["p0.png", "p1.png", "p2.png"]
    assert [job["job"] for job in json.loads(crew.retouch("status", "--json").stdout)] == [run["job"]]
    assert calls(crew) == 3

    for scheduler, number, code in zip(schedulers, (signal.SIGTERM, signal.SIGINT), (0, 130), strict=True):
        scheduler.send_signal(number)
        _, log = scheduler.communicate(timeout=60)
        assert scheduler.returncode == code, log
        assert "Traceback" not in log
    assert crew.said("list", "--json")[0]["state"] == "over"


@pytest.mark.parametrize("step", SLOT_STEPS)
def test_a_scheduler_killed_at_any_step_leaves_one_job(crew, step):
    crew.picture("a", 10)
    crew.picture("b", 90)
    crew.due_now()
    crew.environment["RETOUCH_KILL_AT"] = step
    doomed = crew.start("scheduler")
    del crew.environment["RETOUCH_KILL_AT"]
    assert doomed.wait(60) == -signal.SIGKILL
    # Its turn would run out by itself, in half a minute.
    crew.redis.delete(f"retouch:turn:{crew.folder / 'store'}:nightly")
    # Whatever comes now is for the next run.
    crew.picture("c", 150)

    crew.start("scheduler")
    wait_for(crew.history)
    (run,) = crew.runs()
    assert run["ended"] == "started"
    edited = crew.finished(run)
    assert edited == (["a.png", "b.png", "c.png"] if step == "slot_claimed" else ["a.png", "b.png"])
    assert len(json.loads(crew.retouch("status", "--json").stdout)) == 1
    assert calls(crew) == len(edited)
    last = crew.run_now()
    assert last["ended"] == ("nothing-new" if step == "slot_claimed" else "started")
    if last["job"]:
        assert crew.finished(last) == ["c.png"]


def test_a_run_edits_what_is_new_or_changed_and_says_what_it_skipped(crew):
    for shade in range(4):
        crew.picture(f"p{shade}", shade * 40)
    crew.add("--cron", "0 2 * * *", "--tz", "Europe/Paris")
    first = crew.run_now()
    assert crew.finished(first) == ["p0.png", "p1.png", "p2.png", "p3.png"]

    nothing = crew.run_now()
    assert (nothing["ended"], nothing["job"]) == ("nothing-new", None)
    assert nothing["reason"] == "nothing new; skipped: 4 unchanged"
    assert len(json.loads(crew.retouch("status", "--json").stdout)) == 1, "no job without work"

    crew.picture("p1", 222)
    os.utime(crew.photos / "p2.png", (1, 1))
    crew.picture("new", 7)
    third = crew.run_now()
    assert third["picked"] == {"new": 1, "changed": 1, "again": 0, "unchanged": 3, "left": 0}
    assert crew.finished(third) == ["new.png", "p1.png"]
    assert calls(crew) == 6

    report = (crew.folder / third["out"] / "report.html").read_text()
    assert "Run of schedule nightly: 1 new, 1 changed; skipped: 3 unchanged." in report
    listed = crew.retouch("schedule", "list").stdout
    assert "skipped: 3 unchanged" in listed
    assert "finished · 2 done" in listed
    assert [run["ended"] for run in crew.runs()] == ["started", "nothing-new", "started"]
    assert crew.run_now()["ended"] == "nothing-new"

    crew.said("edit", "nightly", "--json", "--", "--prompt", "make it red")
    edited_anew = crew.run_now()
    assert edited_anew["picked"]["new"] == 5, "another edit of every picture"
    assert len(crew.finished(edited_anew)) == 5


def test_what_failed_is_taken_up_by_the_next_run_and_what_was_refused_is_not(crew):
    for shade in range(3):
        crew.picture(f"p{shade}", shade * 40)
    crew.add(
        "--every",
        "1h",
        words=("photos", "--prompt", "make it blue", "--max-in-flight", "1", "--attempts", "1"),
    )
    crew.emulator.order(rule("text_only", nth=1), rule("refused", finish_reason="PROHIBITED_CONTENT", nth=2))
    first = crew.run_now()
    crew.to_its_end(first["job"])
    outcomes = crew.status(first["job"])["outcomes"]
    assert (outcomes["failed"], outcomes["blocked"], outcomes["done"]) == (1, 1, 1)

    crew.emulator.order()
    again = crew.run_now()
    assert again["picked"] == {"new": 0, "changed": 0, "again": 1, "unchanged": 2, "left": 0}
    assert len(crew.finished(again)) == 1
    assert crew.run_now()["ended"] == "nothing-new"


def test_a_budget_is_a_runs_own_and_the_next_goes_on(crew):
    for shade in range(4):
        crew.picture(f"p{shade}", shade * 40)
    words = ("photos", "--prompt", "make it blue", "--max-in-flight", "1", "--budget", "0.1")
    crew.add("--every", "1h", words=words)
    first = crew.run_now()
    crew.to_its_end(first["job"], "paused")
    crew.all_is_still()
    done = crew.status(first["job"])["outcomes"]["done"]
    assert 0 < done < 4

    second = crew.run_now()
    while second["ended"] == "queued":
        second = crew.run_now()
    crew.to_its_end(second["job"], "paused", "finished")
    assert crew.state(first["job"]) == "cancelled"
    assert second["picked"]["unchanged"] == done
    assert calls(crew) == crew.emulator.ledger.summary()["paid"], "nothing twice"


def test_a_run_that_is_going_is_not_started_again(crew):
    crew.emulator.order(rule(hold=True))
    for shade in range(10):
        crew.picture(f"p{shade}", shade)
    crew.add("--every", "1h", words=("photos", "--prompt", "make it blue", "--max-in-flight", "1"))
    first = crew.run_now()
    assert crew.retouch("pause", first["job"]).returncode == 0
    crew.emulator.order()
    crew.picture("b", 70)

    refused = crew.retouch("schedule", "run", "nightly")
    assert refused.returncode == 2
    assert f"{first['job']} is still" in refused.stderr
    assert refused.stderr.count("\n") == 1

    crew.said("edit", "nightly", "--overlap", "queue", "--json")
    crew.start("scheduler")
    assert crew.run_now()["ended"] == "queued"
    assert crew.retouch("resume", first["job"]).returncode == 0
    crew.to_its_end(first["job"])
    wait_for(lambda: crew.history()[0].ended == "started")
    assert crew.finished(crew.runs()[0]) == ["b.png"]
    assert [run["ended"] for run in crew.runs()] == ["started", "skipped", "started"]


def test_neither_a_new_redis_nor_a_new_machine_loses_schedules(crew):
    crew.picture("a", 1)
    crew.add("--cron", "0 2 * * *")
    scheduler = crew.start("scheduler")
    key = f"retouch:schedules:{crew.folder / 'store'}"
    crew.redis.delete(key, f"retouch:changed:{crew.folder / 'store'}")
    wait_for(lambda: crew.redis.hget(key, "nightly"))
    scheduler.terminate()
    scheduler.communicate(timeout=60)

    shutil.rmtree(crew.folder / "store")
    assert crew.said("list", "--json") == []
    crew.start("scheduler")
    wait_for((crew.folder / "store/.retouch/schedules/nightly").exists)
    assert [shown["name"] for shown in crew.said("list", "--json")] == ["nightly"]

    crew.said("pause", "nightly", "--json")
    assert crew.said("list", "--json")[0]["next"] == []
    assert crew.said("resume", "nightly", "--json")["state"] == "active"
    crew.said("remove", "nightly", "--json")
    assert crew.said("list", "--json") == []
    assert crew.add("--every", "2h")["when"] == "every 2 h", "a name can be given again"


def test_a_run_that_cannot_be_is_told_in_history(crew):
    crew.manifest(3)
    crew.add("--every", "1h", words=("shop.csv", "--confirm-above", "0.01"))
    dear = crew.retouch("schedule", "run", "nightly")
    assert dear.returncode == 2
    assert "more than --confirm-above 0.01, and nobody can be asked" in dear.stderr
    crew.said("edit", "nightly", "--json", "--", "--yes")
    (crew.folder / "shop.csv").unlink()
    gone = crew.retouch("schedule", "run", "nightly")
    assert "does not exist" in gone.stderr
    assert [run["ended"] for run in crew.runs()] == ["refused", "refused"]
    assert calls(crew) == 0


def test_a_run_that_cannot_be_is_told_to_the_webhook_of_its_schedule(crew):
    crew.manifest(3)
    with receiving() as receiver:
        crew.due_now("shop.csv", "--confirm-above", "0.01", "--notify", receiver.url, "--notify-private")
        crew.start("scheduler")
        wait_for(crew.history)
        (post,) = receiver.posts
    assert post.json["type"] == "job.refused"
    assert post.json["data"]["state_reason"].startswith("the schedule nightly could not start it: ")
    assert "more than --confirm-above 0.01" in post.json["data"]["state_reason"]
    assert post.id == f"{post.json['data']['job']}-1"
    assert calls(crew) == 0


def test_a_run_that_waits_for_its_store_is_told_of_once_and_begins_when_that_is_back(crew):
    crew.picture("a", 1)
    blocked = crew.folder / "white"
    blocked.write_text("a file where the folder of the results should be")
    words = ("photos", "--prompt", "make it blue", "--out", str(blocked))
    crew.add("--at", "2099-01-01", words=words)
    asyncio.run(crew._bring_forward())
    with (crew.folder / "said").open("wb") as said:
        scheduler = subprocess.Popen(
            [sys.executable, "-m", "jobs", "scheduler"], cwd=crew.folder, env=crew.environment, stderr=said
        )
    try:
        log = crew.folder / "said"
        wait_for(lambda: "schedule_held_up schedule=nightly: " in log.read_text())
        assert f"{blocked}" in log.read_text()
        assert "see the log of `retouch scheduler`" in crew.retouch("schedule", "list").stdout
        assert len(crew.said("show", "nightly", "--json")["waiting"]) == 1
        blocked.unlink()
        wait_for(crew.history)
        assert log.read_text().count("schedule_held_up") == 1
        assert crew.finished(crew.runs()[0]) == ["a.png"]
        assert crew.said("show", "nightly", "--json")["waiting"] == []
    finally:
        scheduler.terminate()
        scheduler.wait(60)
