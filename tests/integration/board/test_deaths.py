"""A shard that kills whoever takes it is set aside; what only looks so is not."""

from __future__ import annotations

import asyncio

from pipeline.status import Totals
from tests.integration.board.steps import LEASE, done, fall_silent, opened
from workers.shared.board import Board
from workers.shared.board_types import ShardReport, WorkerCard
from workers.shared.keys import of_job


async def die(redis, name: str, *, settled: int = 0, begun: bool = True) -> int:
    """A worker takes the shard and is not heard of again; for how many deaths it was set aside then."""
    worker = Board(redis, name)
    await worker.beat(LEASE, WorkerCard(threads=4), [], {})
    claim = await worker.claim("job", 1, 0.02)
    if begun:
        await worker.begin("job", 1, claim.token)
    await worker.beat(0.02, WorkerCard(threads=4), [ShardReport("job", 1, claim.token, done(settled))], {})
    await asyncio.sleep(0.05)
    await worker.sweep()
    return claim.deaths


async def deaths_by_now(board: Board) -> int:
    return (await board.claim("job", 1, LEASE)).deaths


async def test_three_in_a_row(board):
    await opened(board)
    assert [await die(board.redis, name) for name in "abc"] == [0, 1, 2]
    assert await deaths_by_now(board) == 3


async def test_a_worker_that_lives_has_not_died(board):
    await opened(board)
    for name in "abc":
        await die(board.redis, name)
    for name in "abc":
        await Board(board.redis, name).beat(LEASE, WorkerCard(threads=4), [], {})
    assert await deaths_by_now(board) == 0


async def test_a_worker_that_was_told_to_end_has_not_died_of_it(board):
    await opened(board)
    for name in "ab":
        await die(board.redis, name)
    leaving = Board(board.redis, "c")
    claim = await leaving.claim("job", 1, 0.02)
    await leaving.begin("job", 1, claim.token)
    await leaving.beat(0.02, WorkerCard(threads=0), [ShardReport("job", 1, claim.token)], {})
    await asyncio.sleep(0.05)
    await leaving.sweep()
    assert await deaths_by_now(board) == 2


async def test_a_shard_that_goes_on_is_no_suspect(board):
    await opened(board)
    for name, settled in (("a", 0), ("b", 0), ("c", 1)):
        await die(board.redis, name, settled=settled)
    assert await deaths_by_now(board) == 1


async def test_a_shard_whose_progress_was_not_said_is_acquitted(board):
    await opened(board)
    for name in "ab":
        await die(board.redis, name, settled=7)
    assert not await board.acquit("job", 1, 7)
    assert await board.acquit("job", 1, 8)
    assert not await board.acquit("job", 1, 8), "that is known now"
    assert await die(board.redis, "c", settled=8) == 0
    assert await deaths_by_now(board) == 1
    assert not await board.acquit("job", 2, 8), "nobody has died of it"


async def test_a_shard_that_had_not_begun_is_not_to_blame(board):
    """Shards wait for slots in the worker that holds them: it dies of another."""
    await opened(board)
    for name in "abc":
        await die(board.redis, name, begun=False)
    assert await deaths_by_now(board) == 0


async def test_only_its_holder_begins_a_shard(board, other):
    await opened(board)
    stale = await board.claim("job", 1, LEASE)
    await board.release(ShardReport("job", 1, stale.token))
    held = await other.claim("job", 1, LEASE)
    await board.begin("job", 1, stale.token)
    assert await board.redis.hget(of_job("job", "begun"), "0000001") is None
    await other.begin("job", 1, held.token)
    assert await board.redis.hget(of_job("job", "begun"), "0000001") == held.token


async def test_when_workers_die_all_around_it_is_not_the_shard(board):
    await opened(board)
    await die(board.redis, "a")
    for name in "xyz":
        await Board(board.redis, name).beat(LEASE, WorkerCard(threads=4), [], {})
    for name in "bc":
        await die(board.redis, name)
    await fall_silent(board.redis)
    assert await deaths_by_now(board) == 0


async def test_a_shard_that_was_settled_begins_anew(board):
    await opened(board, shards=1)
    for name in "abc":
        await die(board.redis, name)
    claim = await board.claim("job", 1, LEASE)
    await board.fold("job", 1, claim.token, Totals(outcomes={"failed": 50}))
    await opened(board, shards=1)
    assert await deaths_by_now(board) == 0
