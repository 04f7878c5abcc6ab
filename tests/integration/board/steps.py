"""What workers do with the board, in the words of its tests."""

from __future__ import annotations

import json

from redis.asyncio import Redis

from pipeline.ports import Wanted
from pipeline.status import Totals
from workers.shared.board import PRESENCE, Board
from workers.shared.board_types import Placement, WorkerCard
from workers.shared.keys import WORKERS, of_job

#: Seconds of a lease that outlives a test.
LEASE = 10.0


async def opened(
    board: Board, job: str = "job", shards: int = 3, folded=None, begun=None, wanted=None, **how
) -> None:
    place = Placement(out=f"/out/{job}", rows=shards * 50, shards=shards, wanted=wanted or Wanted(), **how)
    await board.open(job, place, folded or {}, begun or {})


async def alive(board: Board, threads: int = 4) -> None:
    await board.beat(LEASE, WorkerCard(threads=threads, slots=64), [], {})


def done(rows: int, **sums) -> Totals:
    return Totals(outcomes={"done": rows}, **sums)


async def run_out(redis: Redis, part: str) -> None:
    """So much time passes that no lease (``leases``), or no delay of a shard (``todo``), is left."""
    times = of_job("job", part)
    await redis.zadd(times, dict.fromkeys(await redis.zrange(times, 0, -1), 1))


async def fall_silent(redis: Redis) -> None:
    """So much time passes that no worker counts as alive."""
    for worker, said in (await redis.hgetall(WORKERS)).items():
        alive_until, card = said.split(" ", 1)
        await redis.hset(WORKERS, worker, f"{earlier(alive_until)} {card}")
    for shard, said in (await redis.hgetall(of_job("job", "deaths"))).items():
        deaths = json.loads(said)
        deaths["workers"] = [[worker, earlier(alive_until)] for worker, alive_until in deaths["workers"]]
        await redis.hset(of_job("job", "deaths"), shard, json.dumps(deaths))


def earlier(moment: str) -> str:
    return str(int(moment) - int(PRESENCE * 1000))


async def folded(board: Board, shard: int, totals: Totals, job: str = "job") -> bool:
    claim = await board.claim(job, shard, LEASE)
    assert claim is not None
    return await board.fold(job, shard, claim.token, totals)
