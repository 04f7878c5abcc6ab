"""A job is put on the board, again and again."""

from __future__ import annotations

from pipeline.status import State, Totals
from tests.integration.board.steps import LEASE, done, folded, opened
from workers.shared.keys import FINISH
from workers.shared.status import read_status


async def test_what_is_folded_is_not_done_again(board):
    await opened(board, shards=4, folded={1: done(50, calls=50, cost_usd=2.0), 3: done(49)})
    assert [hint.shard for hint in await board.sweep()] == [2, 4]
    status = await read_status(board.redis, "job")
    assert (status.outcomes["done"], status.outcomes["pending"], status.cost_usd) == (99, 101, 2.0)


async def test_submitting_again_lets_a_halted_job_go_on(board):
    await opened(board)
    await folded(board, 1, done(50))
    claim = await board.claim("job", 2, LEASE)
    await board.stop("job", State.HALTED, "the key is refused")
    await opened(board, folded={1: done(50)})
    status = await read_status(board.redis, "job")
    assert (status.state, status.outcomes["done"]) == (State.QUEUED, 50)
    assert [hint.shard for hint in await board.sweep()] == [3], "a lease that is held stays"
    assert not await board.fold("job", 2, claim.token, done(50))


async def test_a_larger_limit_adds_shards(board):
    await opened(board, shards=1)
    assert await folded(board, 1, done(50))
    await opened(board, shards=2, folded={1: done(50)})
    assert [hint.shard for hint in await board.sweep()] == [2]
    assert await folded(board, 2, done(50))


async def test_a_new_round_of_a_shard_is_settled_again(board):
    await opened(board, shards=2)
    await folded(board, 1, Totals(outcomes={"failed": 50}, calls=50))
    await folded(board, 2, done(50, calls=50))
    await opened(board, shards=2, folded={2: done(50, calls=50)})
    assert [hint.shard for hint in await board.sweep()] == [1]
    assert await folded(board, 1, done(50, calls=100))
    status = await read_status(board.redis, "job")
    assert (status.outcomes["done"], status.outcomes["failed"], status.calls) == (100, 0, 150)


async def test_a_job_that_ended_begins_anew_from_its_folds(board):
    await opened(board, shards=1)
    await folded(board, 1, done(50))
    claim = await board.claim("job", FINISH, LEASE)
    await board.finish("job", claim.token, State.FINISHED, 1)
    await opened(board, shards=1, folded={1: done(50)})
    status = await read_status(board.redis, "job")
    assert (status.state, status.outcomes["done"], status.finished_at) == (State.QUEUED, 50, None)
    assert [hint.shard for hint in await board.sweep()] == [FINISH]
