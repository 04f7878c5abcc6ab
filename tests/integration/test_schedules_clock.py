"""Schedulers by a clock that is moved, over a real store and a real server."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from jobs.schedule.schedule import Every, Missed
from jobs.schedule.slots import Ended
from jobs.schedule.ticker import AGAIN
from tests.integration.clockwork import DAY, START, World
from workers.shared.connection import connect
from workers.shared.schedules import Schedules


@pytest.fixture
def world(tmp_path, redis_client) -> World:
    return World(tmp_path / "store", redis_client)


async def test_a_clock_that_was_moved_back_doubles_nothing(world):
    await world.add("often", Every(60, int(START)))
    ticker, other = world.scheduler(), world.scheduler()
    for step in [*range(0, 900, 20), *range(300, 1500, 20), *range(0, 1800, 20)]:
        world.now = START + step
        await ticker.tick()
        await other.tick()

    assert world.moments("often") == [int(START) + 60 * n for n in range(1, 30)]


async def test_a_clock_that_was_far_ahead_for_a_moment_does_not_silence_a_schedule(world):
    await world.add("often", Every(3600, int(START)))
    ticker = world.scheduler()
    world.now = START + 1
    await ticker.tick()
    world.now = START + 4000 * DAY
    await ticker.tick()
    for hour in range(1, 4):
        world.now = START + hour * 3600 + 1
        await ticker.tick()

    assert world.moments("often")[:3] == [int(START) + hour * 3600 for hour in (1, 2, 3)]


async def test_times_at_which_nobody_was_there_are_caught_up_once_or_skipped(world):
    await world.add("caught", Every(3600, int(START)))
    await world.add("skipped", Every(3600, int(START)), missed=Missed.SKIP)
    world.now = START + 5.5 * 3600
    await world.scheduler().tick()
    await world.scheduler().tick()

    assert world.runs == [("caught", int(START) + 5 * 3600)]
    (caught,) = await world.book.history("caught", None)
    assert (caught.ended, caught.missed) == (Ended.STARTED, 4)
    (skipped,) = await world.book.history("skipped", None)
    assert (skipped.ended, skipped.missed) == (Ended.MISSED, 4)

    world.now = START + 6 * 3600 + 2
    await world.scheduler().tick()
    assert world.runs[1:] == [("caught", int(START) + 6 * 3600), ("skipped", int(START) + 6 * 3600)]


async def test_a_lost_store_is_not_run_again_for_slots_that_redis_remembers(world):
    await world.add("often", Every(3600, int(START)))
    ticker = world.scheduler()
    for hour in (1, 2):
        world.now = START + hour * 3600 + 1
        await ticker.tick()
    world.folder = world.folder.with_name("lost")
    world.folder.mkdir()
    anew = world.scheduler(copies=Schedules(world.redis, str(world.folder.with_name("store"))))
    await anew.tick()
    assert len(world.runs) == 2

    world.now = START + 3 * 3600 + 1
    await anew.tick()
    assert world.moments("often") == [int(START) + hour * 3600 for hour in (1, 2, 3)]


async def test_a_slot_whose_scheduler_died_is_taken_up_by_the_other(world):
    schedule = await world.add("often", Every(3600, int(START)))

    async def dies(_schedule, _claim):
        raise RuntimeError("killed, in the middle of it")

    first = world.scheduler(dies)
    second = world.scheduler()
    await second.tick()
    world.now = START + 3601
    await first.tick()
    assert world.runs == []
    await second.tick()
    world.now += AGAIN
    await second.tick()
    assert world.runs == [("often", int(START) + 3600)]
    assert await world.book.open_slots(schedule.name) == []


async def test_without_redis_slots_are_claimed_and_run_when_it_is_back(world, redis_url):
    await world.add("often", Every(3600, int(START)))
    away = connect("redis://127.0.0.1:1/0")
    ticker = world.scheduler(copies=Schedules(away, str(world.folder)))
    world.now = START + 3601
    await ticker.tick()
    await away.aclose()
    assert world.runs == []
    assert len(await world.book.open_slots("often")) == 1

    await world.scheduler().tick()
    assert world.moments("often") == [int(START) + 3600]


async def test_nobody_runs_what_is_paused_or_removed(world):
    schedule = await world.add("often", Every(3600, int(START)))
    for version, change in ((2, {"paused": True}), (3, {"paused": False, "since": START + 3 * 3600})):
        await world.book.put(msgspec.structs.replace(schedule, version=version, **change))
        ticker = world.scheduler()
        world.now = START + (2 if version == 2 else 4) * 3600 + 1
        await ticker.tick()
    assert world.moments("often") == [int(START) + 4 * 3600], (
        "what passed while it was paused is not made up for"
    )

    await world.book.put(msgspec.structs.replace(schedule, version=4, removed=True))
    world.now = START + 9 * 3600
    await world.scheduler().tick()
    assert len(world.runs) == 1


async def test_one_schedule_that_cannot_be_read_stops_no_other(world):
    await world.add("often", Every(3600, int(START)))
    await world.book.store.put(".retouch/schedules/broken/versions/000001", b"{half a file")
    await world.copies.keep("often", "no schedule either")
    await world.copies.keep("gone", "nor this")
    world.now = START + 3601
    await world.scheduler().tick()

    assert world.moments("often") == [int(START) + 3600]
    assert (await world.copies.copies())["often"].startswith("{")


async def test_a_slot_of_one_that_breaks_is_tried_again_and_stops_no_other(world):
    await world.add("a-breaks", Every(3600, int(START)))
    await world.add("b", Every(3600, int(START)))
    fails = [True]

    async def begin(schedule, claim):
        if schedule.name == "a-breaks" and fails:
            raise RuntimeError(fails.pop())
        return await world.begin(schedule, claim)

    ticker = world.scheduler(begin)
    world.now = START + 3601
    await ticker.tick()
    assert world.runs == [("b", int(START) + 3600)]
    world.now += 61
    await ticker.tick()
    assert world.runs[1:] == [("a-breaks", int(START) + 3600)]


async def test_a_job_that_is_long_in_the_making_delays_no_other_schedule(world):
    await world.add("a-long", Every(3600, int(START)))
    await world.add("often", Every(600, int(START)), missed=Missed.SKIP)
    copied = asyncio.Event()

    async def begin(schedule, claim):
        if schedule.name == "a-long":
            await copied.wait()
        return await world.begin(schedule, claim)

    scheduler = world.scheduler(begin)
    for minute in range(60, 130, 2):
        world.now = START + minute * 60 + 1
        await scheduler.ticker.tick()
        while len(scheduler.ticker._settling) > 1:  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)
    assert await world.copies.scheduler_there()
    assert world.runs == [("often", int(START) + n * 600) for n in range(6, 13)]

    copied.set()
    await scheduler.ticker.settled()
    world.now += AGAIN + 1
    await scheduler.tick()
    assert world.moments("a-long") == [int(START) + 3600, int(START) + 7200]
    assert [outcome.missed for outcome in await world.book.history("a-long", None)] == [0, 0]
