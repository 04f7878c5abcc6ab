"""Every form of ``pipeline.ports.Pace`` keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pipeline.engine.brake import Brake
from pipeline.limits.pace import LocalPace
from pipeline.ports import Pace
from workers.shared.board import Board
from workers.shared.pace import AHEAD, RedisPace

PaceAt = Callable[[float | None], Pace]


@pytest.fixture(params=["local", "redis"])
def pace_at(request) -> PaceAt:
    if request.param == "local":
        return LocalPace
    board = Board(request.getfixturevalue("redis_client"))
    return lambda rpm: RedisPace(board, "job", rpm, Brake())


async def test_no_limit_no_wait(pace_at):
    pace = pace_at(None)
    assert [await pace.turn("m") for _ in range(5)] == [0.0] * 5


async def test_starts_are_evenly_apart(pace_at):
    pace = pace_at(60.0)
    waits = [await pace.turn("m") for _ in range(4)]
    assert waits == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.2)


async def test_one_pace_over_all_models(pace_at):
    pace = pace_at(60.0)
    waits = [await pace.turn(model) for model in ("a", "b", "a")]
    assert waits == pytest.approx([0.0, 1.0, 2.0], abs=0.2)


async def test_a_hold_keeps_back_its_model_alone(pace_at):
    pace = pace_at(None)
    await pace.hold("a", 30.0)
    assert await pace.turn("a") == pytest.approx(30.0, abs=0.5)
    assert await pace.turn("b") == 0.0


async def test_a_longer_hold_is_never_shortened(pace_at):
    pace = pace_at(None)
    await pace.hold("a", 30.0)
    await pace.hold("a", 2.0)
    assert await pace.turn("a") == pytest.approx(30.0, abs=0.5)
    assert await pace.held() == pytest.approx(30.0, abs=0.5)


async def test_nothing_is_held_at_first(pace_at):
    assert await pace_at(60.0).held() == 0.0


async def test_after_a_hold_starts_are_apart_too(pace_at):
    pace = pace_at(60.0)
    await pace.hold("a", 2.0)
    waits = [await pace.turn("a") for _ in range(3)]
    assert waits == pytest.approx([2.0, 3.0, 4.0], abs=0.5)


async def test_workers_share_one_pace(redis_client):
    board = Board(redis_client)
    one, other = (RedisPace(board, "job", 60.0, Brake()) for _ in range(2))
    waits = [await pace.turn("m") for pace in (one, other, one, other)]
    assert waits == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.2)


async def test_jobs_have_paces_of_their_own(redis_client):
    board = Board(redis_client)
    waits = [await RedisPace(board, job, 60.0, Brake()).turn("m") for job in ("a", "b")]
    assert waits == [0.0, 0.0]


async def test_no_turn_is_booked_long_before_it_comes(redis_client):
    """A worker whose rows wait for hours dies: whoever takes them over waits for no turn of its."""
    board = Board(redis_client)
    dying = RedisPace(board, "job", 60.0, Brake())
    waiting = [asyncio.create_task(dying.turn("m")) for _ in range(500)]
    await asyncio.wait(waiting, timeout=0.5)
    for row in waiting:
        row.cancel()
    assert dying.crowded
    assert await RedisPace(board, "job", 60.0, Brake()).turn("m") < AHEAD + 2


async def test_those_in_line_hear_of_another_pace(redis_client):
    pace = RedisPace(Board(redis_client), "job", 1.0, Brake())
    await pace.turn("m")
    await pace.turn("m")
    waiting = asyncio.create_task(pace.turn("m"))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    pace.rpm = None
    await asyncio.wait_for(waiting, 10)
