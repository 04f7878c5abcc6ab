"""After the last shard comes one last step; of a job that stands still, too."""

from __future__ import annotations

import asyncio

from pipeline.ports import Wanted
from pipeline.status import State
from tests.integration.board.steps import LEASE, alive, done, folded, opened
from workers.shared.board_types import ShardReport, WorkerCard
from workers.shared.keys import FINISH, of_job
from workers.shared.status import read_status


async def test_after_the_last_shard_comes_one_last_step(board, other):
    await opened(board, shards=2)
    assert not await folded(board, 2, done(50))
    assert await board.claim("job", FINISH, LEASE) is None
    assert await folded(other, 1, done(50))
    assert [hint.shard for hint in await other.sweep()] == [FINISH]
    claim = await board.claim("job", FINISH, LEASE)
    assert await other.claim("job", FINISH, LEASE) is None
    await board.finish("job", claim.token, State.FINISHED, 1_000)
    status = await read_status(board.redis, "job")
    assert (status.state, status.finished_at) == (State.FINISHED, "1970-01-01T00:00:01.000Z")
    assert await board.sweep() == []


async def test_the_last_step_of_a_dead_worker_is_repeated(board, other):
    await opened(board, shards=1)
    await folded(board, 1, done(50))
    stale = await board.claim("job", FINISH, 0.02)
    await asyncio.sleep(0.05)
    await other.sweep()
    claim = await other.claim("job", FINISH, LEASE)
    await board.finish("job", stale.token, State.CANCELLED, 1)
    assert (await read_status(board.redis, "job")).state is State.RUNNING
    await other.finish("job", claim.token, State.FINISHED, 1)
    assert (await read_status(board.redis, "job")).state is State.FINISHED


async def test_a_job_that_stops_when_all_is_settled_still_ends(board):
    await opened(board, shards=1)
    await folded(board, 1, done(50))
    await board.stop("job", State.PAUSED, "budget")
    assert await board.claim("job", FINISH, LEASE) is not None


async def test_a_job_that_stands_still_takes_it_too_once_nobody_works_on_it(board, other):
    await opened(board)
    mine, others = await board.claim("job", 1, LEASE), await other.claim("job", 2, LEASE)
    await board.stop("job", State.HALTED, "the key is refused")
    await board.release(ShardReport("job", 1, mine.token))
    assert await other.sweep() == []
    await other.release(ShardReport("job", 2, others.token))
    assert [hint.shard for hint in await other.sweep()] == [FINISH]
    step = await board.claim("job", FINISH, LEASE)
    assert not await board.finish("job", step.token, State.FINISHED, 1)
    assert (await read_status(board.redis, "job")).state is State.HALTED
    assert await other.sweep() == [], "once"


async def test_a_job_whose_worker_died_while_it_was_halted_takes_it_too(board, other):
    await alive(other)
    await opened(board)
    await board.claim("job", 1, 0.02)
    await board.stop("job", State.HALTED, "the key is refused")
    await asyncio.sleep(0.05)
    assert [hint.shard for hint in await other.sweep(room=1)] == [FINISH]


async def test_what_is_settled_while_results_are_written_belongs_into_them(board, other):
    await opened(board, shards=1)
    claim = await board.claim("job", 1, LEASE)
    await board.stop("job", State.PAUSED, "budget")
    await board.release(ShardReport("job", 1, claim.token))
    early = await board.claim("job", FINISH, LEASE)
    await board.want("job", Wanted())
    assert await folded(other, 1, done(50))
    assert await other.claim("job", FINISH, LEASE) is None, (
        "of two writers the slower one would have the last word"
    )
    assert not await board.finish("job", early.token, State.FINISHED, 1)
    late = await other.claim("job", FINISH, LEASE)
    assert await other.finish("job", late.token, State.FINISHED, 2)


async def test_a_job_without_rows_ends_at_once(board):
    await opened(board, shards=0)
    assert [hint.shard for hint in await board.sweep()] == [FINISH]


async def test_the_first_reason_holds(board, other):
    await opened(board)
    assert await board.stop("job", State.HALTED, "the key is refused")
    assert not await other.stop("job", State.PAUSED, "budget")
    status = await read_status(board.redis, "job")
    assert (status.state, status.state_reason) == (State.HALTED, "the key is refused")


async def test_every_worker_hears_what_is_wanted(board, other):
    await opened(board)
    await board.want("job", Wanted(state=State.CANCELLED, rpm=7.0))
    news = (await other.beat(LEASE, WorkerCard(), [], {"job": "", "never": ""})).news
    assert news["job"].wanted == Wanted(state=State.CANCELLED, rpm=7.0)
    assert news["never"].state is None


async def test_one_writes_the_report(board, other):
    assert [await worker.reporter("job", 60) for worker in (board, other, board)] == [True, False, False]
    await board.redis.pexpire(of_job("job", "report"), 1)
    await asyncio.sleep(0.05)
    assert await other.reporter("job", 60)
