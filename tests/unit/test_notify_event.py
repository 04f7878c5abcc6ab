"""When something is told of a job."""

from __future__ import annotations

import pytest

from pipeline.engine.brake import PAUSED
from pipeline.notify.event import PATIENCE, Bound, Event, EventKind, due
from pipeline.status import State, Status


def status(
    state: State = State.RUNNING, reason: str | None = None, calls: int = 0, **outcomes: int
) -> Status:
    counts = {"done": 0, "blocked": 0, "failed": 0, "invalid": 0, "cancelled": 0, "pending": 0} | outcomes
    return Status(job="j", out="o", state=state, state_reason=reason, calls=calls, outcomes=counts)


class Watched:
    """A job that is looked at again and again; what is due is written down."""

    def __init__(self, bound: Bound | None = None) -> None:
        self.bound = bound
        self.told: list[Event] = []

    def look(self, status: Status, waited: float = 0.0) -> list[EventKind]:
        events = due(self.told, status, bound=self.bound, waited=waited)
        self.told += events
        return [event.kind for event in events]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.FINISHED, None),
        (State.CANCELLED, None),
        (State.HALTED, "denied: no"),
        (State.PAUSED, "the budget of $1.00 is used up"),
    ],
)
def test_each_stop_is_told_once(state, reason):
    job = Watched()
    assert job.look(status()) == []
    assert job.look(status(state, reason)) == [EventKind(state)]
    assert job.look(status(state, reason)) == []


def test_nobody_is_told_of_what_a_person_has_just_done():
    assert Watched().look(status(State.PAUSED, PAUSED)) == []


def test_a_second_halt_is_another_one_once_the_job_has_gone_on():
    job = Watched()
    job.look(status(State.HALTED, "denied: no"))
    assert job.look(status(State.QUEUED)) == [EventKind.RUNNING]
    assert job.look(status(State.RUNNING)) == []
    assert job.look(status(State.HALTED, "denied: no")) == [EventKind.HALTED]


def test_a_halt_for_another_reason_is_another_one():
    job = Watched()
    job.look(status(State.HALTED, "denied: no"))
    assert job.look(status(State.HALTED, "not_found: gone")) == [EventKind.HALTED]


def test_a_job_that_ends_again_as_it_was_is_no_news_and_after_a_retry_it_is():
    job = Watched()
    assert job.look(status(State.FINISHED, calls=4, done=3, failed=1)) == [EventKind.FINISHED]
    assert job.look(status(State.RUNNING, calls=4, done=3, failed=1)) == []
    assert job.look(status(State.FINISHED, calls=4, done=3, failed=1)) == []
    assert job.look(status(State.FINISHED, calls=5, done=4)) == [EventKind.FINISHED]


def test_a_wait_is_told_when_it_is_long_and_once_until_the_job_goes_on():
    job = Watched()
    assert job.look(status(State.WAITING, "quota"), waited=PATIENCE - 1) == []
    assert job.look(status(State.WAITING, "quota, 1 h left"), waited=PATIENCE) == [EventKind.WAITING]
    assert job.look(status(State.WAITING, "quota, 59 min left"), waited=2 * PATIENCE) == []
    assert job.look(status(State.RUNNING)) == [EventKind.RUNNING]
    assert job.look(status(State.WAITING, "quota"), waited=PATIENCE) == [EventKind.WAITING]


def test_more_failures_than_a_number_are_told_once_until_the_job_has_ended():
    job = Watched(Bound(rows=2))
    assert job.look(status(failed=1, blocked=1, cancelled=9)) == []
    assert job.look(status(failed=1, blocked=1, invalid=1)) == [EventKind.FAILURES]
    assert job.look(status(failed=5)) == []
    assert job.look(status(State.FINISHED, failed=5)) == [EventKind.FINISHED]
    assert job.look(status(State.FINISHED, calls=1, failed=6)) == [EventKind.FAILURES, EventKind.FINISHED]


def test_a_share_of_failures_says_nothing_until_enough_rows_are_settled():
    bound = Bound(share=0.05)
    assert not bound.passed(status(failed=1, pending=99))
    assert not bound.passed(status(done=19, failed=1, pending=80)), "5 % is not more than 5 %"
    assert bound.passed(status(done=18, failed=2, pending=80))
    assert bound.passed(status(done=1, failed=1)), "nothing is to come any more"


def test_a_halt_is_told_over_a_wait_and_failures():
    job = Watched()
    job.look(status(State.WAITING), waited=PATIENCE)
    assert job.look(status(State.HALTED, "denied: no")) == [EventKind.HALTED]
