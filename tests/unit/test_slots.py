"""Slots whose number changes while they are taken."""

from __future__ import annotations

import asyncio

from pipeline.engine.slots import AdjustableSlots


async def taken(slots: AdjustableSlots, place: int = 0) -> asyncio.Task[bool]:
    task = asyncio.create_task(slots.acquire(place))
    await asyncio.sleep(0)
    return task


async def test_more_slots_serve_those_who_wait_the_lowest_place_first():
    slots = AdjustableSlots(1)
    await slots.acquire()
    late, early = await taken(slots, 2), await taken(slots, 1)
    assert slots.locked()
    slots.limit = 2
    await asyncio.sleep(0)
    assert (early.done(), late.done()) == (True, False)
    slots.limit = 9
    await late
    assert not slots.locked()


async def test_with_fewer_none_is_given_until_as_many_have_come_back():
    slots = AdjustableSlots(3)
    for _ in range(3):
        await slots.acquire()
    slots.limit = 1
    waits = await taken(slots)
    slots.release()
    slots.release()
    await asyncio.sleep(0)
    assert not waits.done()
    slots.release()
    await waits
    assert slots.locked()


async def test_who_gives_up_loses_no_slot():
    slots = AdjustableSlots(1)
    await slots.acquire()
    first, second = await taken(slots), await taken(slots)
    slots.release()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert await second
    slots.release()
    assert not slots.locked()
