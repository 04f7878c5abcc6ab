"""Every form of ``pipeline.ports.Progress`` counts alike."""

from __future__ import annotations

import pytest

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.engine.progress import LocalProgress
from pipeline.record import Outcome, Record
from pipeline.status import Totals
from workers.shared.progress import ShardProgress


def attempt(verdict: Verdict = Verdict.IMAGE, **fields) -> Attempt:
    values = {"n": 1, "started_at": "", "seconds": 1.0, "counted": True, "prompt_variant": Variant.PLAIN}
    return Attempt(verdict=verdict, **(values | fields))


def record(outcome: Outcome = Outcome.DONE) -> Record:
    return Record(id="1", row=1, line=2, outcome=outcome)


@pytest.fixture(params=[LocalProgress, lambda: ShardProgress(LocalProgress())], ids=["local", "shard"])
def progress(request):
    return request.param()


def test_calls_rows_and_money(progress):
    progress.call_begun()
    progress.call_ended(attempt(cost_usd=0.04))
    progress.call_begun()
    progress.call_ended(attempt(Verdict.TIMEOUT, unknown=True))
    progress.call_ended(attempt(Verdict.NETWORK, begun=False, counted=False))
    progress.row_settled(record())
    progress.row_settled(record(Outcome.FAILED))
    assert progress.totals == Totals(
        outcomes={"done": 1, "failed": 1},
        verdicts={"image": 1, "timeout": 1, "network": 1},
        calls=2,
        calls_unknown=1,
        cost_usd=0.04,
    )


def test_what_was_found_is_added(progress):
    progress.found(Totals(outcomes={"done": 3}, calls=4))
    progress.row_settled(record())
    assert progress.totals == Totals(outcomes={"done": 4}, calls=4)


def test_the_shards_of_a_job_add_up_in_the_process():
    job = LocalProgress()
    shards = [ShardProgress(job) for _ in range(2)]
    for shard in shards:
        shard.call_begun()
    assert (job.in_flight, job.totals.calls) == (2, 2)
    shards[0].call_ended(attempt())
    shards[0].row_settled(record())
    assert (job.in_flight, job.totals.outcomes) == (1, {"done": 1})
    assert job.totals.calls == 2
    assert shards[1].totals == Totals(calls=1)


def test_a_wait_is_the_jobs():
    job = LocalProgress()
    ShardProgress(job).waiting("the disk is full")
    assert job.waiting_for == "the disk is full"


def test_only_what_has_changed_is_said():
    shard = ShardProgress(LocalProgress())
    shard.row_settled(record())
    totals = shard.changed()
    assert totals == Totals(outcomes={"done": 1})
    shard.said(totals)
    assert shard.changed() is None
    shard.row_settled(record())
    assert shard.changed() == Totals(outcomes={"done": 2})
