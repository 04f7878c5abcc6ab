"""What came of a shard is said again and again, and counted once."""

from __future__ import annotations

import asyncio

from pipeline.status import Totals
from tests.integration.board.steps import LEASE, done, folded, opened
from workers.shared.board_types import ShardReport, WorkerCard
from workers.shared.keys import of_job
from workers.shared.status import read_status


async def test_saying_it_again_changes_nothing(board):
    await opened(board)
    claim = await board.claim("job", 1, LEASE)
    for totals in (
        done(3, calls=4, cost_usd=0.1),
        done(3, calls=4, cost_usd=0.1),
        done(7, calls=9, cost_usd=0.3),
    ):
        await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token, totals)], {})
    status = await read_status(board.redis, "job")
    assert (status.outcomes["done"], status.calls, status.cost_usd) == (7, 9, 0.3)
    await board.fold("job", 1, claim.token, done(50, calls=52, cost_usd=2.0))
    await board.fold("job", 1, claim.token, done(50, calls=52, cost_usd=2.0))
    status = await read_status(board.redis, "job")
    assert (status.outcomes["done"], status.calls, status.cost_usd) == (50, 52, 2.0)


async def test_whoever_takes_over_replaces_what_was_said(board, other):
    await opened(board)
    claim = await board.claim("job", 1, 0.02)
    sums = Totals(outcomes={"done": 9}, verdicts={"image": 9, "timeout": 2})
    await board.beat(0.02, WorkerCard(), [ShardReport("job", 1, claim.token, sums)], {})
    await asyncio.sleep(0.05)
    await other.sweep()
    claim = await other.claim("job", 1, LEASE)
    found = Totals(outcomes={"done": 8}, verdicts={"image": 8})
    await other.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token, found)], {})
    status = await read_status(board.redis, "job")
    assert (status.outcomes["done"], status.verdicts) == (8, {"image": 8})


async def test_shards_add_up(board):
    await opened(board, shards=4)
    for shard in range(1, 5):
        await folded(board, shard, done(shard, calls=10 * shard, calls_unknown=1, cost_usd=0.000000123))
    status = await read_status(board.redis, "job")
    assert status.outcomes["done"] == 10
    assert (status.calls, status.calls_unknown) == (100, 4)
    head = await board.redis.hgetall(of_job("job", "head"))
    assert head["cost"] == "492"
