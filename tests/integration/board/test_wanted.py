"""What people want of a job, and what workers agree on beside its shards."""

from __future__ import annotations

import asyncio

from pipeline.ports import Wanted
from pipeline.status import State, Totals
from tests.integration.board.steps import LEASE, alive, done, folded, opened, run_out
from workers.celery.app import make_app, publish
from workers.shared.keys import FINISH, QUEUE_LISTS
from workers.shared.status import read_status


async def test_a_repeated_word_wakes_no_job_that_a_row_has_stopped(board):
    await opened(board)
    await board.stop("job", State.HALTED, "the key is refused")
    await board.want("job", Wanted(budget=3.0), repeated=True)
    assert (await read_status(board.redis, "job")).state is State.HALTED
    await board.want("job", Wanted())
    assert (await read_status(board.redis, "job")).state is State.QUEUED


async def test_a_repeated_word_ends_a_pause(board):
    await opened(board, wanted=Wanted(state=State.PAUSED), state=State.PAUSED)
    await board.want("job", Wanted(), repeated=True)
    assert (await read_status(board.redis, "job")).state is State.QUEUED


async def test_a_job_is_withdrawn_when_nobody_works_on_it(board, other):
    await opened(board)
    await alive(other)
    assert not await board.withdraw("job"), "a worker lives"
    await other.leave()
    await other.claim("job", 1, LEASE)
    assert not await board.withdraw("job"), "a lease is held"
    await run_out(board.redis, "leases")
    assert await board.withdraw("job")
    assert await read_status(board.redis, "job") is None
    assert await board.withdraw("job")
    assert await board.sweep() == []


async def test_shards_that_are_opened_while_it_is_ended(board, other):
    await opened(board, shards=1)
    await folded(board, 1, Totals(outcomes={"failed": 50}))
    last = await board.claim("job", FINISH, LEASE)
    await opened(other, shards=1)
    await board.finish("job", last.token, State.FINISHED, 1)
    assert (await read_status(board.redis, "job")).state is State.RUNNING
    assert await folded(other, 1, done(50))
    assert await board.claim("job", FINISH, LEASE)


async def test_messages_that_nobody_takes(board, redis_url):
    await opened(board, shards=2)
    app = make_app(redis_url)
    publish(app, await board.sweep())
    app.close()
    assert await board.overdue(10) == 0
    await asyncio.sleep(0.05)
    assert await board.overdue(0.02) == 2
    await board.redis.delete(*QUEUE_LISTS)
    assert await board.overdue(0.02) == 0


async def test_an_edit_is_made_by_one_of_the_living(board, other):
    await alive(board)
    assert await board.edit("print", 60)
    assert not await board.edit("print", 60)
    assert not await other.edit("print", 60)
    await board.leave()
    assert await other.edit("print", 60), "nobody waits for the dead"
    await board.edited("print")
    await alive(other)
    assert not await board.edit("print", 60), "what has run out is another's, and not ours to give back"
    await other.edited("print")
    assert await board.edit("print", 60)


async def test_turns_that_nobody_waits_for_any_more_hold_back_no_job_that_goes_on(board):
    await opened(board)
    for _ in range(3):
        await board.turn("job", "m", 1.0)
    await board.want("job", Wanted(state=State.PAUSED))
    await board.want("job", Wanted())

    assert await board.turn("job", "m", 1.0) == 0
    assert await board.turn("job", "m", 1.0) > 50
