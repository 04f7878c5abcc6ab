"""The pulse of a real station: open work without progress is seen, and what waits for a reason is not blamed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pipeline.concurrency import cancel_and_wait
from pipeline.ports import Wanted
from workers.celery.app import make_app, publish
from workers.monitoring.health import fault
from workers.monitoring.pulse import Pulse
from workers.periodic.sweep import sweep
from workers.settings import Settings
from workers.shards.held import HeldShard
from workers.shards.runner import ShardRunner
from workers.shared.board_types import Placement
from workers.shared.keys import FINISH
from workers.shared.lease import RedisLease
from workers.tools import open_tools


class Clock:
    """The real one, which can be moved on."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def station(redis_url, tmp_path) -> AsyncIterator[ShardRunner]:
    settings = Settings(
        redis_url=redis_url, slots=4, store=str(tmp_path), key="k", base_url="http://x", stalled=1.0
    )
    async with open_tools(settings) as tools:
        yield ShardRunner(tools)


@asynccontextmanager
async def felt(station: ShardRunner, clock: Clock) -> AsyncIterator[Pulse]:
    pulse = Pulse(clock)
    task = asyncio.create_task(pulse.run(station))
    try:
        await until(lambda: pulse.backlog is not None)
        yield pulse
    finally:
        await cancel_and_wait(task)


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.02)


def hold(station: ShardRunner, shard: int) -> None:
    lease = RedisLease("1:w", 10.0, time.monotonic())
    station.held.add(HeldShard("job", shard, lease, asyncio.Event()))


async def looked(pulse: Pulse) -> None:
    """The loop has come round since the clock was moved."""
    await until(lambda: pulse.vitals().silent < 2)


async def test_an_open_shard_on_which_nothing_happens(station, clock):
    async with felt(station, clock) as pulse:
        hold(station, 1)
        assert fault(pulse.vitals()) is None
        clock.ahead = 400
        assert "event loop" in (fault(pulse.vitals()) or "")
        await looked(pulse)
        assert "1 shards are open here" in (fault(pulse.vitals()) or "")
        pulse.call_begun()
        assert fault(pulse.vitals()) is None


async def test_a_worker_that_uploads_a_large_picture_is_well(station, clock):
    """An upload may take longer than a call; a piece of it may not."""
    async with felt(station, clock) as pulse:
        hold(station, 1)
        clock.ahead = 400
        await looked(pulse)
        assert fault(pulse.vitals())
        station.tools.client.last_piece = clock() - 100
        assert fault(pulse.vitals()) is None


async def test_a_worker_without_work_and_one_that_writes_results_are_well(station, clock):
    async with felt(station, clock) as pulse:
        hold(station, FINISH)
        clock.ahead = 4000
        await looked(pulse)
        assert fault(pulse.vitals()) is None


async def test_messages_that_nobody_takes(station, clock, redis_url):
    board, app = station.tools.board, make_app(redis_url)
    await board.open("job", Placement(out="/out/job", rows=100, shards=2, wanted=Wanted()), {}, {})
    await sweep(board, lambda hints: publish(app, hints))
    async with felt(station, clock) as pulse:
        assert (pulse.backlog.messages, pulse.backlog.rows, pulse.backlog.shards) == (2, 100, 2)
        clock.ahead = 10
        await until(lambda: pulse.stalled)
        assert "messages are waiting" in (fault(pulse.vitals()) or "")
        station.busy_threads = station.tools.settings.threads
        await until(lambda: not pulse.stalled)
    app.close()
