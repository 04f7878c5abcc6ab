"""Which pictures of a folder a run takes, by what the runs before have settled."""

from __future__ import annotations

import asyncio
import hashlib
import os

import msgspec
import pytest

from jobs.cli.options import asked_for
from jobs.schedule.book import ScheduleBook
from jobs.schedule.pictures import pick
from jobs.schedule.slots import Begun, Picked
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder, Planned
from pipeline.job.spec import Spec
from pipeline.record import InputPicture, Outcome, Record
from pipeline.store import open_store


class Folder:
    """Pictures and a schedule's book; jobs are written as they would have ended."""

    def __init__(self, path) -> None:
        self.path = path
        self.photos = path / "photos"
        self.photos.mkdir()
        self.book = ScheduleBook(open_store(path / "store"))
        self.jobs = 0

    def put(self, **contents: str) -> None:
        for name, content in contents.items():
            (self.photos / f"{name}.png").write_text(content)

    def asked(self, **options):
        return asked_for({"manifest": str(self.photos), "prompt": "p", **options})

    def pick(self, **options) -> tuple[Picked, list[str]]:
        selection = self.path / "selection"
        picked = asyncio.run(pick(self.book, "n", self.asked(**options), selection))
        return picked, [msgspec.json.decode(line)["image"] for line in selection.read_text().splitlines()]

    def run(self, *outcomes: Outcome, **options) -> None:
        """A job over what is picked now, whose rows end as said (the rest: never settled)."""
        asyncio.run(self._run(outcomes, **options))

    async def _run(self, outcomes, **options) -> None:
        self.jobs += 1
        selection = self.path / "selection"
        asked = self.asked(**options)
        await pick(self.book, "n", asked, selection)
        folder = JobFolder.at(str(self.path / "store" / f"job{self.jobs}"))
        await folder.store.put_new(SPOOLED_MANIFEST, selection.read_bytes())
        named = {name: getattr(asked, name) for name in ("prompt", "model", "repeat", "limit")}
        spec = Spec(
            job=f"job{self.jobs}",
            out=folder.store.url,
            manifest=asked.manifest,
            root="/",
            created_at="",
            **named,
        )
        await folder.create(spec)
        names = [msgspec.json.decode(line)["image"] for line in selection.read_bytes().splitlines()]
        names = [name for name in names[: asked.limit] for _ in range(asked.repeat)]
        records = [
            Record(
                id=str(row),
                row=row,
                line=row,
                outcome=outcome,
                inputs=(
                    InputPicture(
                        path=name, sha256=hashlib.sha256((self.photos / name).read_bytes()).hexdigest()
                    ),
                ),
            )
            for row, (name, outcome) in enumerate(zip(names, outcomes, strict=False), 1)
        ]
        await folder.shards.fold(1, records)
        await folder.finish_plan(Planned(bytes=0, sha256="", rows=len(names), shards=1, cost_usd=0.0))
        await self.book.begin("n", Begun(spec.job, folder.store.url))


DONE, BLOCKED, INVALID, FAILED, CANCELLED = (
    Outcome.DONE,
    Outcome.BLOCKED,
    Outcome.INVALID,
    Outcome.FAILED,
    Outcome.CANCELLED,
)


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


def test_what_is_final_is_left_alone_and_what_is_not_is_taken_again(folder):
    folder.put(a="a", b="b", c="c", d="d", e="e", f="f")
    assert folder.pick() == (Picked(new=6), [f"{name}.png" for name in "abcdef"])

    folder.run(DONE, BLOCKED, INVALID, FAILED, CANCELLED)
    assert folder.pick() == (Picked(again=3, unchanged=3), ["d.png", "e.png", "f.png"])
    folder.run(DONE, DONE, DONE)
    assert folder.pick() == (Picked(unchanged=6), [])


def test_bytes_are_compared_only_where_size_or_time_are_others(folder):
    folder.put(a="a", b="b", c="c")
    folder.run(DONE, DONE, DONE)
    folder.pick()
    folder.put(b="B")
    os.utime(folder.photos / "a.png", (1, 1))
    (folder.photos / "c.png").rename(folder.photos / "z.png")
    assert folder.pick() == (Picked(new=1, changed=1, unchanged=1), ["b.png", "z.png"])
    folder.put(b="b")
    assert folder.pick() == (Picked(new=1, unchanged=2), ["z.png"]), "what was edited is back"


def test_a_limit_leaves_the_rest_to_the_next_run(folder):
    folder.put(a="a", b="b", c="c")
    assert folder.pick(limit=2) == (Picked(new=2, left=1), ["a.png", "b.png"])
    folder.run(DONE, DONE, limit=2)
    assert folder.pick(limit=2) == (Picked(new=1, unchanged=2), ["c.png"])


def test_every_variation_of_a_picture_must_be_final(folder):
    folder.put(a="a", b="b")
    folder.run(DONE, DONE, DONE, FAILED, repeat=2)
    assert folder.pick(repeat=2) == (Picked(again=1, unchanged=1), ["b.png"])


def test_another_prompt_is_another_edit_and_the_old_one_is_remembered(folder):
    folder.put(a="a")
    folder.run(DONE)
    assert folder.pick(prompt="other")[0] == Picked(new=1)
    folder.run(DONE, prompt="other")
    assert folder.pick(prompt="other")[0] == Picked(unchanged=1)
    assert folder.pick()[0] == Picked(unchanged=1)
    assert folder.pick(budget=5.0, max_in_flight=3)[0] == Picked(unchanged=1), "money and pace are no edit"


def test_a_folder_that_is_empty_for_a_while_forgets_nothing(folder):
    folder.put(a="a")
    folder.run(DONE)
    (folder.photos / "a.png").rename(folder.path / "away.png")
    assert folder.pick() == (Picked(), [])
    (folder.path / "away.png").rename(folder.photos / "a.png")
    assert folder.pick()[0] == Picked(unchanged=1)


def test_a_memory_that_was_lost_is_built_again_from_the_jobs(folder):
    folder.put(a="a", b="b")
    folder.run(DONE, FAILED)
    before = folder.pick()
    (lost,) = (folder.path / "store/.retouch/schedules/n").glob("pictures-*")
    lost.unlink()
    assert folder.pick() == before == (Picked(again=1, unchanged=1), ["b.png"])
