"""Every form of ``pipeline.ports.Budget`` keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pipeline.engine.brake import Brake
from pipeline.limits.budget import LocalBudget
from pipeline.ports import Budget, Wanted
from pipeline.status import State
from workers.shared.board import Board
from workers.shared.board_types import Placement, WorkerCard
from workers.shared.budget import Purse, RedisBudget

BudgetOf = Callable[[float | None], Budget]


def budget_of_worker(redis_client, name: str, limit: float | None) -> tuple[RedisBudget, Purse, Board]:
    board, purse = Board(redis_client, name), Purse()
    return RedisBudget(board, "job", limit, Brake(), purse), purse, board


@pytest.fixture(params=["local", "redis"])
def budget_of(request) -> BudgetOf:
    if request.param == "local":
        return LocalBudget
    redis_client = request.getfixturevalue("redis_client")
    return lambda limit: budget_of_worker(redis_client, "w", limit)[0]


async def test_without_a_limit_everything_fits(budget_of):
    budget = budget_of(None)
    assert all([await budget.reserve(1e6) for _ in range(3)])


async def test_what_fits_exactly_fits(budget_of):
    budget = budget_of(0.3)
    assert [await budget.reserve(0.1) for _ in range(3)] == [True] * 3


async def test_what_is_spent_is_gone(budget_of):
    budget = budget_of(1.0)
    assert await budget.reserve(0.6)
    await budget.settle(0.6, 0.6)
    assert not await budget.reserve(0.5)
    assert await budget.reserve(0.4)


async def test_a_price_beyond_the_budget_is_refused_at_once(budget_of):
    budget = budget_of(1.0)
    assert await budget.reserve(0.5)
    assert not await asyncio.wait_for(budget.reserve(1.5), 20)


async def test_it_waits_for_calls_that_may_turn_out_cheaper(budget_of):
    budget = budget_of(1.0)
    assert await budget.reserve(0.8)
    waiting = asyncio.create_task(budget.reserve(0.5))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await budget.settle(0.8, 0.1)
    assert await asyncio.wait_for(waiting, 20)


async def test_it_gives_up_when_they_turn_out_dear(budget_of):
    budget = budget_of(1.0)
    assert await budget.reserve(0.8)
    waiting = asyncio.create_task(budget.reserve(0.5))
    await asyncio.sleep(0.05)
    await budget.settle(0.8, 0.8)
    assert not await asyncio.wait_for(waiting, 20)


async def test_many_at_once_never_pass_the_budget(budget_of):
    budget = budget_of(1.0)

    async def call() -> bool:
        granted = await budget.reserve(0.3)
        if granted:
            await asyncio.sleep(0.01)
            await budget.settle(0.3, 0.3)
        return granted

    granted = await asyncio.wait_for(asyncio.gather(*(call() for _ in range(10))), 10)
    assert sum(granted) == 3


@pytest.mark.parametrize("turns", range(8))
async def test_what_was_asked_for_when_the_job_stopped_is_not_set_aside(budget_of, turns):
    """Whoever has waited for it has gone: what it holds would be waited for, for ever."""
    budget, brake = budget_of(1.0), Brake()
    assert await budget.reserve(0.1)
    before = asyncio.all_tasks()
    raced = asyncio.ensure_future(brake.race(budget.reserve(0.9)))
    for _ in range(turns):
        await asyncio.sleep(0)
    brake.stop(State.HALTED)
    if await raced:
        await budget.settle(0.9, 0.0)
    while left := asyncio.all_tasks() - before:
        await asyncio.wait(left)
    assert await asyncio.wait_for(budget.reserve(0.9), 2)


async def _alive(board: Board, purse: Purse) -> None:
    await board.beat(10, WorkerCard(), [], {"job": purse.news()})


@pytest.fixture
async def known_job(redis_client):
    """Money is only kept for jobs that are on the board."""
    await Board(redis_client).open("job", Placement(out="/out", rows=1, shards=1, wanted=Wanted()), {}, {})


async def test_workers_share_one_budget(redis_client, known_job):
    one, purse, board = budget_of_worker(redis_client, "one", 1.0)
    other, *_ = budget_of_worker(redis_client, "other", 1.0)
    await _alive(board, purse)
    assert await one.reserve(0.6)
    waiting = asyncio.create_task(other.reserve(0.6))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await one.settle(0.6, 0.6)
    await _alive(board, purse)
    assert not await asyncio.wait_for(waiting, 20)
    assert await other.reserve(0.4)


async def test_what_a_dead_worker_had_set_aside_counts_as_spent(redis_client, known_job):
    dead, *_ = budget_of_worker(redis_client, "dead", 1.0)
    other, *_ = budget_of_worker(redis_client, "other", 1.0)
    assert await dead.reserve(0.6)
    assert not await asyncio.wait_for(other.reserve(0.6), 20), "nobody waits for the dead"
    assert await other.reserve(0.4)


async def test_a_late_word_does_not_take_back_a_later_one(redis_client, known_job):
    budget, purse, board = budget_of_worker(redis_client, "w", 1.0)
    await budget.settle(0.0, 0.1)
    late = purse.say()
    assert await budget.reserve(0.5)
    await board.beat(10, WorkerCard(), [], {"job": late})
    other, *_ = budget_of_worker(redis_client, "other", 1.0)
    waiting = asyncio.create_task(other.reserve(0.5))
    await asyncio.sleep(0.05)
    assert not waiting.done(), "the reservation still counts"
    waiting.cancel()


async def test_money_of_an_unlimited_job_is_known_when_a_limit_comes(redis_client, known_job):
    budget, *_ = budget_of_worker(redis_client, "w", None)
    assert await budget.reserve(0.9)
    await budget.settle(0.9, 0.9)
    budget.limit = 1.0
    assert not await budget.reserve(0.2)
