from __future__ import annotations

import asyncio

import pytest

from pipeline.engine.brake import Brake
from pipeline.engine.keeper import GRACE, Keeper
from pipeline.engine.progress import LocalProgress
from pipeline.errors import StoreError
from pipeline.status import State


class Disk:
    """Full for the first *faults* puts."""

    def __init__(self, faults: int) -> None:
        self.faults = faults
        self.puts = 0

    async def put(self, _data: str) -> str:
        self.puts += 1
        if self.puts <= self.faults:
            raise StoreError("the disk is full")
        return "stored"


async def test_a_put_is_repeated_until_the_store_takes_it():
    progress, disk = LocalProgress(), Disk(faults=2)
    keeper = Keeper(Brake(), progress)

    putting = asyncio.create_task(keeper.put(lambda: disk.put("a picture")))
    await asyncio.sleep(0.05)

    assert progress.waiting_for == "the disk is full"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(keeper.ready(), 0.01)
    assert await putting == "stored"
    assert progress.waiting_for is None
    await keeper.ready()


async def test_a_stopped_job_gives_up_after_its_grace():
    now = 0.0
    brake, disk = Brake(), Disk(faults=1000)
    keeper = Keeper(brake, LocalProgress(), clock=lambda: now)
    putting = asyncio.create_task(keeper.put(lambda: disk.put("a picture")))
    await asyncio.sleep(0.01)
    brake.stop(State.QUEUED)
    await asyncio.sleep(0.1)
    assert not putting.done()

    now = GRACE + 1

    with pytest.raises(StoreError, match="full"):
        await putting
