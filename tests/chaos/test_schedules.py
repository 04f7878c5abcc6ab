"""A year of two schedulers with a restart a day: none skipped, none doubled."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from jobs.schedule.schedule import Cron
from jobs.schedule.timing import due
from tests.integration.clockwork import DAY, END, START, World

#: Days of the year that are simulated in the short form: around both changes of the clock.
CHANGES = ("2026-03-28", "2026-10-24")
ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe")


@pytest.mark.timeout(900)
async def test_a_year_with_two_schedulers_and_a_restart_a_day(tmp_path, redis_client, full):
    world = World(tmp_path / "store", redis_client)
    chance = random.Random(5)
    schedules = [
        await world.add("hourly", Cron("0 * * * *", "Europe/Paris")),
        *[await world.add(f"night{n}", Cron("30 2 * * *", tz)) for n, tz in enumerate(ZONES)],
    ]
    expected = {schedule.name: due(schedule.when, START, END - 1) for schedule in schedules}
    assert [len(slots) for slots in expected.values()] == [8759, 365, 365, 365]
    if not full:
        expected = {name: [slot for slot in slots if near_a_change(slot)] for name, slots in expected.items()}
    every = sorted({moment for slots in expected.values() for moment in slots})

    both = [world.scheduler(), world.scheduler()]
    day = 0
    for moment in every:
        # Neither is punctual, neither is always first, and one of them is new each day.
        late = sorted((chance.uniform(0, 5), which) for which in range(2))
        if moment // DAY != day:
            day = moment // DAY
            both[day % 2] = world.scheduler()
        for seconds, which in late:
            world.now = moment + seconds
            await both[which].tick()

    run = {name: [slot for slot in world.moments(name) if full or near_a_change(slot)] for name in expected}
    assert run == expected, "none skipped, none doubled"
    assert len(set(world.jobs)) == len(world.jobs)


def near_a_change(slot: int) -> bool:
    return any(
        0 <= slot - datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() < 3 * DAY for day in CHANGES
    )
