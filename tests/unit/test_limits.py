from __future__ import annotations

import asyncio
import itertools
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.brake import Brake
from pipeline.limits.budget import DearestTries, LocalBudget, Room, maybe_paid, room
from pipeline.limits.pace import LocalPace, book, seconds_to_new_day
from pipeline.status import State, Totals


@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=50).map(sorted),
    st.floats(1, 6000),
    st.floats(0, 50),
)
def test_booked_starts_keep_the_pace_and_the_hold(arrivals, rpm, held):
    free, starts = 0.0, []
    for now in arrivals:
        start, free = book(now, free, held, rpm)
        assert start >= max(now, held)
        starts.append(start)

    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert all(gap >= 60 / rpm - 1e-6 for gap in gaps)


def test_without_a_pace_calls_start_at_once():
    assert book(5.0, 99.0, 0.0, None) == (5.0, 5.0)


async def test_a_longer_hold_is_never_shortened():
    now = 100.0
    pace = LocalPace(None, clock=lambda: now)
    await pace.hold("m", 50)
    await pace.hold("m", 5)

    assert await pace.turn("m") == 50
    assert await pace.turn("other") == 0
    assert await pace.held() == 50


@pytest.mark.parametrize(
    ("limit", "spent", "reserved", "price", "answer"),
    [
        (None, 1e9, 1e9, 1e9, Room.YES),
        (1.0, 0.0, 0.0, 1.0, Room.YES),
        (1.0, 0.9, 0.0, 0.1, Room.YES),
        (1.0, 0.9, 0.0, 0.11, Room.NO),
        (1.0, 0.5, 0.4, 0.2, Room.LATER),
        (1.0, 0.9, 0.4, 0.2, Room.NO),
        (0.0, 0.0, 0.0, 0.0336, Room.NO),
    ],
)
def test_room_in_a_budget(limit, spent, reserved, price, answer):
    assert room(limit, spent, reserved, price) is answer


async def test_a_call_waits_for_what_others_may_give_back():
    budget = LocalBudget(1.0)
    assert await budget.reserve(0.8)
    waiting = asyncio.create_task(budget.reserve(0.8))
    await asyncio.sleep(0)
    assert not waiting.done()

    await budget.settle(0.8, 0.1)

    assert await waiting
    await budget.settle(0.8, 0.8)
    assert not await budget.reserve(0.2)


async def test_nothing_beyond_the_unasked_sum_is_spent_before_the_answer():
    budget = LocalBudget(None, unasked=1.0)
    assert await budget.reserve(0.6)
    waiting = asyncio.create_task(budget.reserve(0.6))
    await asyncio.sleep(0)
    assert not waiting.done()

    await budget.answered()

    assert await waiting


async def test_the_first_reason_to_stop_holds_but_a_cancel_beats_it():
    brake = Brake()
    brake.stop(State.HALTED, "first")
    brake.stop(State.PAUSED, "second")
    assert (brake.state, brake.reason) == (State.HALTED, "first")

    brake.stop(State.CANCELLED, "cancelled")

    assert brake.cancelled


async def test_a_brake_wakes_those_who_wait():
    brake = Brake()
    resting = asyncio.create_task(brake.wait(3600))
    racing = asyncio.create_task(brake.race(asyncio.Event().wait()))
    await asyncio.sleep(0)

    brake.stop(State.QUEUED)

    assert await resting is True
    assert await racing is None
    assert await brake.wait(0) is True


async def test_a_brake_lets_what_is_ready_through():
    brake = Brake()

    assert await brake.race(asyncio.sleep(0, "ready")) == "ready"
    assert await brake.wait(0.001) is False


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        ("2026-11-22T08:00:00+00:00", 24),
        ("2026-11-22T07:59:00+00:00", 1 / 60),
        ("2026-07-01T07:00:00+00:00", 24),
        ("2026-03-08T08:00:00+00:00", 23),
        ("2026-11-01T07:00:00+00:00", 25),
    ],
)
def test_a_days_quota_is_new_at_midnight_in_california(now, hours):
    assert seconds_to_new_day(datetime.fromisoformat(now)) == pytest.approx(hours * 3600)


def test_what_may_have_been_paid_is_as_good_as_paid() -> None:
    """Calls without an answer or without a usage; those in flight are set aside elsewhere."""
    totals = Totals(calls=9, calls_unknown=3, calls_unpriced=2, cost_usd=0.4)
    assert maybe_paid(totals, 0.5) == 2.5
    assert maybe_paid(totals, 0.5, in_flight=2) == 1.5
    assert maybe_paid(totals, 0.5, in_flight=9) == 1.0
    assert maybe_paid(totals, None) == 0.0


def test_more_is_set_aside_once_a_try_was_dearer_than_its_estimate() -> None:
    """Of that model, and never less."""
    tries = DearestTries()
    assert tries.aside("m", 0.05) == 0.05
    for price, cost in ((0.05, 0.2), (0.05, 0.01), (0.05, None), (None, 3.0), (0.0, 3.0)):
        tries.seen("m", price, cost)
    assert tries.aside("m", 0.1) == pytest.approx(0.4)
    assert tries.aside("other", 0.1) == 0.1
