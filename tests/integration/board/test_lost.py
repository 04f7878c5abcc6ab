"""A server that has lost everything: the job is put back from its folder, and its holders come back to it."""

from __future__ import annotations

import pytest

from pipeline.status import State
from tests.integration.board.steps import LEASE, done, opened, run_out
from workers.shared.board import Board
from workers.shared.board_types import ShardReport, WorkerCard
from workers.shared.keys import FINISH, of_job
from workers.shared.status import read_status


async def lose(board: Board, **how) -> None:
    await board.redis.flushall()
    await opened(board, begun={1: done(7, calls=9, cost_usd=0.5)}, only_lost=True, spare=60, **how)


async def test_who_held_a_shard_holds_it_again(board, other):
    await opened(board)
    claim = await board.claim("job", 1, LEASE)
    held = ShardReport("job", 1, claim.token)
    await board.redis.flushall()
    heard = await board.beat(LEASE, WorkerCard(), [held], {"job": ""})
    assert (heard.kept, heard.known, heard.news["job"].state) == ([None], False, None)
    await lose(board)
    assert await other.claim("job", 1, LEASE) is None, "its holder is waited for"
    heard = await board.beat(LEASE, WorkerCard(), [held], {"job": ""})
    assert heard.kept == [True]
    assert heard.news["job"].born != claim.born


async def test_others_take_what_nobody_comes_back_to(board, other):
    await opened(board)
    claim = await board.claim("job", 1, LEASE)
    await lose(board)
    await run_out(board.redis, "todo")
    assert await other.claim("job", 1, LEASE)
    assert (await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token)], {})).kept == [False]


async def test_what_is_begun_and_not_folded_counts(board):
    await lose(board)
    status = await read_status(board.redis, "job")
    assert (status.outcomes["done"], status.calls, status.cost_usd) == (7, 9, 0.5)
    assert (await board.redis.hgetall(of_job("job", "budget")))["earlier"] == "0 500000000 0"


async def test_what_may_have_been_paid_for_counts_in_the_budget(board):
    await lose(board, maybe_paid=0.25)
    assert (await board.redis.hgetall(of_job("job", "budget")))["earlier"] == "0 750000000 0"
    assert (await read_status(board.redis, "job")).cost_usd == 0.5, "and in no figure"


async def test_it_is_done_once(board):
    await lose(board)
    await board.claim("job", 2, LEASE)
    await opened(board, only_lost=True, state=State.HALTED, reason="no")
    assert (await read_status(board.redis, "job")).state is State.RUNNING


@pytest.mark.parametrize("state", [State.HALTED, State.PAUSED])
async def test_it_stands_as_it_stood(board, state):
    await lose(board, state=state, reason="why")
    status = await read_status(board.redis, "job")
    assert (status.state, status.state_reason) == (state, "why")
    assert await board.sweep() == []


async def test_which_jobs_are_lost(board):
    await opened(board)
    assert await board.missing(["job", "gone"]) == ["gone"]
    assert await board.missing([]) == []


async def test_a_job_that_ended_does_not_know_old_holders(board):
    await opened(board, shards=1)
    claim = await board.claim("job", 1, LEASE)
    await board.fold("job", 1, claim.token, done(50))
    last = await board.claim("job", FINISH, LEASE)
    await board.finish("job", last.token, State.FINISHED, 1)
    await opened(board, shards=1)
    assert (await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token)], {})).kept == [False]
