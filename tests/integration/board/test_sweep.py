"""Which shards get a message, in turn over all jobs; what dead workers have left needs none."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.ports import Wanted
from pipeline.status import State
from tests.integration.board.steps import LEASE, alive, opened, run_out
from workers.celery.app import make_app, publish
from workers.shared.board import AHEAD, FEWEST, UNDER_WAY, Board
from workers.shared.board_types import ShardReport
from workers.shared.keys import HINTED, QUEUE_LISTS
from workers.shared.status import read_status


async def test_a_window_for_each_thread(board, other):
    await opened(board, shards=100)
    await alive(board, 4)
    await alive(other, 3)
    hints = await board.sweep()
    assert [hint.shard for hint in hints] == list(range(1, AHEAD * 7 + 1))
    assert await other.sweep() == []


async def test_without_workers_a_few_are_ready(board):
    await opened(board, shards=100)
    assert len(await board.sweep()) == FEWEST


async def test_in_turn_over_all_jobs(board):
    await opened(board, "million", shards=100)
    await opened(board, "ten", shards=1)
    await opened(board, "few", shards=2)
    await alive(board, 4)
    hints = [(hint.job, hint.shard) for hint in await board.sweep()]
    assert sorted(hints[:3]) == [("few", 1), ("million", 1), ("ten", 1)]
    assert len(hints) == AHEAD * 4


async def test_turns_go_on_from_sweep_to_sweep(board):
    for job in ("a", "b", "c"):
        await opened(board, job, shards=100)
    first = [hint.job for hint in await board.sweep()]
    for job in first[:2]:
        await board.claim(job, 1, LEASE)
    second = [hint.job for hint in await board.sweep()]
    assert first == ["a", "b", "c", "a"]
    assert second == ["b", "c"]


async def test_a_new_job_goes_before_hints_of_one_that_runs(board):
    await opened(board, "old", shards=100)
    await alive(board, 2)
    await board.sweep()
    for shard in (1, 2):
        await board.claim("old", shard, LEASE)
    await opened(board, "new", shards=2)
    assert {(hint.job, hint.urgent) for hint in await board.sweep()} == {("old", False), ("new", True)}


async def test_sweepers_never_publish_the_same(board, other):
    await opened(board, shards=100)
    await alive(board, 20)
    found = await asyncio.gather(*(sweeper.sweep() for sweeper in (board, other) for _ in range(5)))
    shards = [hint.shard for hints in found for hint in hints]
    assert sorted(shards) == list(range(1, AHEAD * 20 + 1))


async def test_a_lost_message_is_published_again(board, redis_url):
    await opened(board, shards=2)
    hints = await board.sweep()
    app = make_app(redis_url)
    publish(app, hints)
    app.close()
    for hint in await board.redis.zrange(HINTED, 0, -1):
        await board.redis.zincrby(HINTED, -UNDER_WAY * 1000, hint)
    assert await board.sweep() == [], "its message lies in the queue"
    await board.redis.delete(*QUEUE_LISTS)
    assert len(await board.sweep()) == 2


async def test_a_young_hint_may_still_be_on_its_way(board):
    await opened(board, shards=2)
    assert len(await board.sweep()) == 2
    assert await board.sweep() == []


@pytest.mark.parametrize("state", [State.HALTED, State.PAUSED])
async def test_a_stopped_job_gets_no_messages(board, state):
    await opened(board)
    await board.stop("job", state, "why")
    assert await board.sweep() == []
    assert await board.claim("job", 1, LEASE) is None


async def test_a_cancelled_job_is_taken_to_its_end(board):
    await opened(board)
    await board.stop("job", State.HALTED, "why")
    await board.want("job", Wanted(state=State.CANCELLED))
    assert len(await board.sweep()) == 3
    assert await board.claim("job", 1, LEASE) is not None


async def test_a_paused_job_goes_on_when_it_is_wanted(board):
    await opened(board)
    await board.want("job", Wanted(state=State.PAUSED))
    assert (await read_status(board.redis, "job")).state is State.PAUSED
    assert await board.sweep() == []
    await board.want("job", Wanted())
    assert len(await board.sweep()) == 3


@pytest.fixture
async def left(board, other) -> list[Board]:
    """Six shards of a job of fifty that are left, behind a full window of messages; two workers live."""
    await opened(board, shards=50)
    for living in (board, other):
        await alive(living)
    dead = Board(board.redis, "dead")
    for shard in range(1, 7):
        await dead.claim("job", shard, LEASE)
    assert len(await board.sweep()) == 2 * 4 * AHEAD
    await run_out(board.redis, "leases")
    return [board, other]


async def test_each_takes_its_part_without_a_message(left):
    first, second = [await living.sweep(room=19) for living in left]
    assert [(hint.shard, hint.orphan) for hint in first] == [(1, True), (2, True), (3, True)]
    assert [(hint.shard, hint.orphan) for hint in second] == [(4, True), (5, True)]
    assert await left[0].is_orphan("job", 1)
    claim = await left[0].claim("job", 1, LEASE)
    assert claim.orphaned
    assert not await left[0].is_orphan("job", 1)
    assert not await left[0].is_orphan("job", 7)
    assert not (await left[0].claim("job", 7, LEASE)).orphaned


async def test_no_more_than_it_has_room_for(left):
    assert [hint.shard for hint in await left[0].sweep(room=1)] == [1]
    assert await left[0].sweep() == [], "the window is full"


async def test_who_takes_none_publishes_them_before_others(left):
    await left[0].redis.delete(HINTED)
    hints = await left[0].sweep()
    assert [hint.shard for hint in hints] == [*range(1, 7), *range(7, 17)]
    assert {hint.shard for hint in hints if hint.urgent} == set(range(1, 7))
    assert not any(hint.orphan for hint in hints)


async def test_it_is_as_others_when_it_was_given_back(left):
    await left[0].sweep()
    claim = await left[0].claim("job", 1, LEASE)
    await left[0].release(ShardReport("job", 1, claim.token))
    assert not (await left[0].claim("job", 1, LEASE)).orphaned
