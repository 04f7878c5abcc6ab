"""How a job stands, read without asking any worker."""

from __future__ import annotations

from pipeline.ports import Wanted
from pipeline.status import State
from tests.integration.board.steps import LEASE, alive, done, fall_silent, folded, opened
from workers.shared.board_types import ShardReport, WorkerCard
from workers.shared.status import NO_WORKER, read_board_view, read_status, workers_alive


async def test_three_commands_whatever_the_size(board):
    await opened(board, shards=20_000)
    for shard in range(1, 30):
        await folded(board, shard, done(50))
    await alive(board)
    await board.redis.config_resetstat()
    status = await read_status(board.redis, "job")
    stats = await board.redis.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items()}
    calls = {
        name: count for name, count in calls.items() if not name.startswith(("config", "client", "hello"))
    }
    assert sum(calls.values()) <= 3, calls
    assert (status.rows, status.outcomes["done"]) == (1_000_000, 29 * 50)


async def test_nobody_is_there(board):
    await opened(board)
    status = await read_status(board.redis, "job")
    assert (status.state, status.state_reason) == (State.QUEUED, NO_WORKER)


async def test_somebody_is_there_until_it_is_not(board):
    await opened(board)
    await alive(board)
    assert await workers_alive(board.redis) == 1
    assert (await read_status(board.redis, "job")).state_reason is None
    await fall_silent(board.redis)
    assert await workers_alive(board.redis) == 0
    assert (await read_status(board.redis, "job")).state_reason == NO_WORKER


async def test_a_worker_that_leaves_is_gone_at_once(board):
    await alive(board)
    await board.leave()
    assert await workers_alive(board.redis) == 0


async def test_figures_of_all_workers(board, other):
    await opened(board)
    await board.claim("job", 1, LEASE)
    await board.beat(LEASE, WorkerCard(4, 64, {"job": (5, 60.0, None), "else": (9, 1.0, None)}), [], {})
    await other.beat(LEASE, WorkerCard(4, 64, {"job": (7, 30.0, None)}, {"job": 2}), [], {})
    status = await read_status(board.redis, "job")
    assert (status.state, status.in_flight, status.images_per_minute) == (State.RUNNING, 12, 90.0)
    assert status.uploading == 2


async def test_what_a_worker_waits_for(board):
    await opened(board)
    await board.claim("job", 1, LEASE)
    await board.beat(LEASE, WorkerCard(4, 64, {"job": (0, 0.0, "the disk is full")}), [], {})
    status = await read_status(board.redis, "job")
    assert (status.state, status.state_reason) == (State.WAITING, "the disk is full")


async def test_a_job_that_nobody_can_go_on_with_waits(board, other):
    await opened(board)
    await alive(board)
    one, two = await board.claim("job", 1, LEASE), await other.claim("job", 2, LEASE)
    await board.release(ShardReport("job", 1, one.token), 30, "cannot see /pictures")
    assert (await read_status(board.redis, "job")).state is State.RUNNING, "another works on it"
    await other.release(ShardReport("job", 2, two.token), 30, "cannot see /pictures")
    status = await read_status(board.redis, "job")
    assert (status.state, status.state_reason) == (State.WAITING, "cannot see /pictures")
    await other.claim("job", 3, LEASE)
    assert (await read_status(board.redis, "job")).state is State.RUNNING


async def test_a_job_that_redis_does_not_know(board):
    assert await read_status(board.redis, "never") is None


async def test_what_is_wanted_comes_along(board):
    await opened(board, shards=7)
    seen = await read_board_view(board.redis, "job")
    assert (seen.wanted, seen.shards, seen.workers) == (Wanted(), 7, {})
