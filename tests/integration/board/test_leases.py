"""A shard is one worker's: claimed once, renewed, given back, taken over; it comes back to whoever held it last."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.board.steps import LEASE, done, opened, run_out
from workers.shared.board_types import ShardReport, WorkerCard
from workers.shared.keys import FINISH, SPARED, SWEPT
from workers.shared.status import read_status


async def test_a_shard_is_claimed_once(board, other):
    await opened(board)
    claim = await board.claim("job", 1, LEASE)
    assert claim is not None
    assert claim.out == "/out/job"
    assert await other.claim("job", 1, LEASE) is None
    assert await other.claim("job", 2, LEASE) is not None


async def test_of_many_at_once_one_has_it(board):
    await opened(board)
    claims = await asyncio.gather(*(board.claim("job", 1, LEASE) for _ in range(20)))
    assert sum(claim is not None for claim in claims) == 1


@pytest.mark.parametrize(("job", "shard"), [("job", 4), ("job", FINISH), ("never", 1)])
async def test_what_is_not_there_is_not_to_be_had(board, job, shard):
    await opened(board)
    assert await board.claim(job, shard, LEASE) is None


async def test_later_claims_have_higher_tokens(board):
    await opened(board)
    epochs = []
    for _ in range(3):
        claim = await board.claim("job", 1, LEASE)
        epochs.append(int(claim.token.partition(":")[0]))
        await board.release(ShardReport("job", 1, claim.token))
    assert epochs == sorted(set(epochs))


async def test_a_lease_that_is_not_renewed_is_taken_over(board, other):
    await opened(board)
    stale = await board.claim("job", 1, 0.05)
    await asyncio.sleep(0.1)
    assert await other.claim("job", 1, LEASE) is None, "only the sweep takes it away"
    assert (await other.sweep())[0].shard == 1
    fresh = await other.claim("job", 1, LEASE)
    assert fresh is not None
    await board.release(ShardReport("job", 1, stale.token))
    assert not await board.fold("job", 1, stale.token, done(50))
    assert (await read_status(board.redis, "job")).outcomes["done"] == 0, "the stale worker says nothing"
    heard = await other.beat(LEASE, WorkerCard(), [ShardReport("job", 1, fresh.token)], {})
    assert heard.kept == [True]


async def test_a_heartbeat_keeps_leases_and_tells_which_are_lost(board, other):
    await opened(board)
    claim = await board.claim("job", 1, 1.0)
    assert await other.claim("job", 2, LEASE)
    for _ in range(4):
        await asyncio.sleep(0.3)
        heard = await board.beat(
            1.0,
            WorkerCard(),
            [
                ShardReport("job", 1, claim.token),
                ShardReport("job", 2, "1:w1"),
                ShardReport("never", 1, "1:w1"),
            ],
            {},
        )
        assert heard.kept == [True, False, None]
    assert 1 not in [hint.shard for hint in await other.sweep()]


async def test_nobody_takes_a_shard_before_its_time(board):
    await opened(board, shards=1)
    claim = await board.claim("job", 1, LEASE)
    await board.release(ShardReport("job", 1, claim.token), 60)
    assert await board.sweep() == []
    assert await board.claim("job", 1, LEASE) is None
    await run_out(board.redis, "todo")
    assert await board.claim("job", 1, LEASE) is not None


async def test_a_declined_shard_gets_another_message(board):
    await opened(board, shards=1)
    assert len(await board.sweep()) == 1
    await board.decline("job", 1, 60)
    assert await board.sweep() == []
    await run_out(board.redis, "todo")
    assert len(await board.sweep()) == 1


@pytest.fixture
async def lapsed(board, other):
    await opened(board, shards=1)
    claim = await board.claim("job", 1, 0.03)
    await asyncio.sleep(0.06)
    await other.sweep()
    return ShardReport("job", 1, claim.token)


async def test_it_comes_back(board, other, lapsed):
    assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [True]
    assert await other.claim("job", 1, LEASE) is None
    assert await board.fold("job", 1, lapsed.token, done(50))


async def test_it_may_fold_what_it_has(board, lapsed):
    assert await board.fold("job", 1, lapsed.token, done(50))


async def test_not_when_another_has_claimed_it(board, other, lapsed):
    claim = await other.claim("job", 1, LEASE)
    assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [False]
    await other.release(ShardReport("job", 1, claim.token))
    assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [False], "nor when it was given back"


async def test_not_when_its_holder_has_given_it_back(board, lapsed):
    await board.beat(LEASE, WorkerCard(), [lapsed], {})
    await board.release(lapsed)
    assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [False], (
        "a late heartbeat holds nothing"
    )


async def test_after_an_outage_all_are_given_time_to(board, other):
    await opened(board, shards=1)
    await board.sweep()
    claim = await board.claim("job", 1, 0.03)
    await asyncio.sleep(0.06)
    await board.redis.decrby(SWEPT, 60_000)
    assert await other.sweep() == [], "nobody could renew a lease"
    assert (await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token)], {})).kept == [True]


async def test_the_dead_are_not_spared_again_and_again(board):
    await opened(board, shards=1)
    await board.sweep()
    await board.claim("job", 1, 0.03)
    await asyncio.sleep(0.06)
    for _ in range(2):
        await board.redis.decrby(SWEPT, 60_000)
        assert await board.sweep() == []
    # Its time is over, and it is too early for another.
    await board.redis.set(SPARED, 1, keepttl=True)
    await board.redis.decrby(SWEPT, 60_000)
    assert len(await board.sweep()) == 1
