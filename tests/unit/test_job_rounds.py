from __future__ import annotations

import msgspec
import pytest

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.edit import Edit
from pipeline.errors import JobError
from pipeline.history import History
from pipeline.job import rounds
from pipeline.job.folder import JobFolder
from pipeline.job.totals import exact_totals
from pipeline.policy import variant
from pipeline.ports import Wanted
from pipeline.record import Outcome, Record
from pipeline.status import State
from pipeline.timestamp import utc


def edit(row: int) -> Edit:
    return Edit(row=row, line=row + 1, id=f"r{row}", name=f"r{row}", prompt="p", extra={"colour": "blue"})


def record(row: int, outcome: Outcome, reason: str | None = None) -> Record:
    verdict = Verdict.IMAGE if outcome is Outcome.DONE else Verdict.TEXT_ONLY
    attempts = tuple(
        Attempt(
            n=n, started_at=utc(0), seconds=1, verdict=verdict, counted=True, prompt_variant=Variant.PLAIN
        )
        for n in (1, 2, 3)
    )
    return Record(
        id=f"r{row}",
        row=row,
        line=row + 1,
        outcome=outcome,
        reason=reason,
        attempts=attempts,
        calls=3,
        cost_usd=0.1,
    )


async def open_round(folder: JobFolder, shards: int, **asked) -> int:
    plan = await rounds.plan_round(folder, shards, **asked)
    await rounds.open_round(folder, plan)
    return plan.rows


@pytest.fixture
async def folder(tmp_path) -> JobFolder:
    """Two shards: the first with a done, a failed and a blocked row, the second all done."""
    made = JobFolder.at(str(tmp_path / "job"))
    await made.plans.add(1, [edit(1), edit(2), edit(3)])
    await made.plans.add(2, [edit(4)])
    failed, blocked = record(2, Outcome.FAILED, "text_only: no"), record(3, Outcome.BLOCKED, "blocked: no")
    await made.shards.fold(1, [record(1, Outcome.DONE), failed, blocked])
    await made.shards.fold(2, [record(4, Outcome.DONE)])
    return made


async def test_only_what_is_not_done_is_settled_again(folder):
    assert await open_round(folder, 2) == 2

    opened = await folder.shards.open(1)
    assert [row.row for row in opened.edits] == [2, 3]
    assert set(opened.settled()) == {1}
    assert await folder.shards.folded(2) is not None
    # What was paid in the round before is still counted.
    totals = await exact_totals(folder, 2)
    assert (totals.calls, totals.outcomes) == (12, {"done": 2})


@pytest.mark.parametrize(
    ("reasons", "rows"),
    [(["text_only"], [2]), (["blocked"], [3]), (["failed"], [2]), (["text_only", "blocked"], [2, 3])],
)
async def test_a_reason_or_an_outcome_chooses(folder, reasons, rows):
    await open_round(folder, 2, reasons=reasons)

    assert [row.row for row in (await folder.shards.open(1)).edits] == rows


async def test_a_round_of_nothing_is_refused(folder):
    with pytest.raises(JobError, match="nothing to retry for timeout"):
        await open_round(folder, 2, reasons=["timeout"])


async def test_tries_begin_anew_and_history_is_kept(folder):
    await open_round(folder, 2, prompt="make it {colour}")

    opened = await folder.shards.open(1)
    history = opened.history(2)

    assert opened.edits[0].prompt == "make it blue"
    assert (history.tries, history.made, history.calls) == (0, 3, 3)
    assert variant(history.tries) is Variant.PLAIN
    again = history.after(
        Attempt(
            n=4,
            started_at=utc(0),
            seconds=1,
            verdict=Verdict.TEXT_ONLY,
            counted=True,
            prompt_variant=Variant.PLAIN,
        )
    )
    assert (again.tries, again.in_a_row(Verdict.TEXT_ONLY), len(again.attempts)) == (1, 1, 4)


async def test_the_newest_round_holds_and_later_ones_see_it(folder):
    await open_round(folder, 2, reasons=["text_only"])
    opened = await folder.shards.open(1)
    await folder.shards.fold(1, (opened.settled() | {2: record(2, Outcome.DONE)}).values())

    # Another process, which has not seen the round yet.
    other = JobFolder(folder.store)
    await other.rounds.refresh()
    rows = [
        msgspec.json.decode(line, type=Record) for line in (await other.shards.settled_lines(1)).splitlines()
    ]
    assert [(row.row, row.outcome) for row in rows] == [(1, "done"), (2, "done"), (3, "blocked")]

    assert await open_round(other, 2) == 1
    assert [row.row for row in (await other.shards.open(1)).edits] == [3]
    await other.shards.fold(1, (await other.shards.open(1)).settled().values())


async def test_a_retry_lets_a_cancelled_job_go_on(folder):
    await folder.want(Wanted(state=State.CANCELLED, budget=5.0))

    await open_round(folder, 2)

    assert await folder.wanted() == Wanted(state=State.RUNNING, budget=5.0)


def test_the_history_of_a_record_that_was_never_called():
    assert record(1, Outcome.INVALID).history().before == 3
    assert Record(id="a", row=1, line=2, outcome=Outcome.INVALID, cost_usd=0.0).history() == History()
