"""One ``run`` at a time where there are no locks."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest

from pipeline.errors import JobError
from pipeline.job.runlease import LEASES, RunLease, run_lease
from pipeline.job.runlock import is_run_locked, run_lock
from pipeline.store import open_store


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setenv("RETOUCH_LEASE_SECONDS", "0.6")
    return open_store("memory://")


async def another(store, number):
    """A lease such as another process would have left when it was killed."""
    lease = RunLease(holder="process 7 on elsewhere", token="t", at=time.time())
    await store.put(f"{LEASES}/{number:06d}", msgspec.json.encode(lease))


async def test_a_second_run_is_told_who_holds_the_folder(store):
    async with run_lock(store):
        assert await is_run_locked(store)
        with pytest.raises(JobError, match=r"is held by process \d+ on .*retouch watch"):
            async with run_lock(store):
                pytest.fail("two runs")
        assert await is_run_locked(store)
    assert not await is_run_locked(store)


async def test_it_is_free_at_once_after_an_orderly_end(store):
    for _ in range(3):
        async with run_lock(store):
            pass
    assert len(await store.names(LEASES)) == 1


async def test_a_lease_without_signs_of_life_is_taken_over_by_one(store):
    await another(store, 1)
    assert await is_run_locked(store), "nobody can tell yet"
    outcomes = await asyncio.gather(*(_briefly(store) for _ in range(3)))
    assert sorted(outcomes) == ["held", "held", "holds"]


async def _briefly(store):
    try:
        async with run_lock(store):
            await asyncio.sleep(1.0)
            return "holds"
    except JobError:
        return "held"


async def test_who_was_stalled_gives_way(store):
    told = asyncio.get_running_loop().create_future()
    async with run_lease(store, told.set_result):
        # To another it looked dead: that one has the next number.
        await another(store, 2)
        reason = await asyncio.wait_for(told, 10)
    assert reason.startswith("process 7 on elsewhere has taken over this job")
    assert await is_run_locked(store), "the other's lease stays"
