"""When schedules are due, over whole years in zones whose clocks change."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from jobs.schedule import time_options
from jobs.schedule.schedule import At, Cron, Every
from jobs.schedule.timing import due, slots, upcoming
from pipeline.errors import UsageError

ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Havana", "UTC")
YEAR = (datetime(2026, 1, 1, tzinfo=UTC).timestamp(), datetime(2027, 1, 1, tzinfo=UTC).timestamp())


@cache
def wall_quarters(tz: str) -> list[tuple[int, datetime]]:
    """Every quarter of an hour of the year, and what a clock on the wall shows; nothing here knows cron."""
    zone = ZoneInfo(tz)
    start, end = map(int, YEAR)
    return [(moment, datetime.fromtimestamp(moment, zone)) for moment in range(start, end, 900)]


def at(text: str, tz: str, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz), fold=fold).timestamp())


@pytest.mark.parametrize("tz", ZONES)
def test_every_hour_of_a_year_comes_once(tz):
    expected = [moment for moment, wall in wall_quarters(tz) if wall.minute == 0 and moment > YEAR[0]]

    assert due(Cron("0 * * * *", tz), YEAR[0], YEAR[1] - 1) == expected
    assert due(Cron("0 0-23 * * *", tz), YEAR[0], YEAR[1] - 1) == expected


@pytest.mark.parametrize(
    ("tz", "hour", "minute"),
    [(tz, hour, minute) for tz in ZONES for hour, minute in [(0, 30), (1, 45), (2, 0), (2, 30)]],
)
def test_a_time_of_day_comes_once_on_every_day(tz, hour, minute):
    expected: dict[object, int] = {}
    for moment, wall in wall_quarters(tz):
        # The first minute of the day at which the clock shows that time, or has passed it.
        if (wall.hour, wall.minute) >= (hour, minute):
            expected.setdefault(wall.date(), moment)
    first_day = datetime.fromtimestamp(YEAR[0], ZoneInfo(tz)).date()
    last_day = datetime.fromtimestamp(YEAR[1], ZoneInfo(tz)).date()
    found = due(Cron(f"{minute} {hour} * * *", tz), YEAR[0], YEAR[1] - 1)

    inner = [moment for day, moment in expected.items() if first_day < day < last_day]
    assert [moment for moment in found if inner[0] <= moment <= inner[-1]] == inner
    assert all((b - a) <= 25 * 3600 for a, b in pairwise(found))


@pytest.mark.parametrize("expression", ["0 */2 * * *", "*/20 2 * * *", "* 2 * * *", "15,45 1-3 * * *"])
def test_an_hour_that_comes_twice_runs_once_and_one_left_out_is_caught_up(expression):
    """Where Debian's cron would double: `*/2` and a star in the minutes."""
    tz = "Europe/Paris"
    autumn = due(Cron(expression, tz), at("2026-10-25T00:59", tz), at("2026-10-25T03:59", tz))
    walls = [datetime.fromtimestamp(moment, ZoneInfo(tz)).strftime("%H:%M") for moment in autumn]
    assert len(walls) == len(set(walls)), "no time of day twice"

    spring = due(Cron(expression, tz), at("2026-03-29T01:59", tz), at("2026-03-29T03:59", tz))
    assert at("2026-03-29T03:00", tz) in spring


def test_slots_do_not_hang_on_where_one_starts():
    """A restart at any minute of the night of the change finds the slots that are left, and no others."""
    tz = "Europe/Paris"
    for day in ("2026-10-25", "2026-03-29"):
        start = at(f"{day}T00:00", tz)
        for expression in (
            "30 2 * * *",
            "0 2,3 * * *",
            "0 * * * *",
            "*/7 2 * * *",
            "59 1 * * *",
            "0 3 * * *",
        ):
            cron = Cron(expression, tz)
            whole = due(cron, start, start + 86_400)
            for minute in range(0, 6 * 60, 7):
                after = start + 60 * minute + 0.5
                assert due(cron, after, start + 86_400) == [slot for slot in whole if slot > after]


def test_an_interval_is_counted_from_its_anchor_whenever_one_looks():
    every = Every(6 * 3600, 1_000)

    assert upcoming(every, 1_000, 3) == [22_600, 44_200, 65_800]
    assert upcoming(every, 22_599.9, 1) == [22_600]
    assert upcoming(every, 22_600, 1) == [44_200]
    assert upcoming(every, -5_000_000, 1) == [22_600]
    assert due(every, 0, 1_000_000) == sorted(
        {moment for after in range(0, 1_000_000, 777) for moment in due(every, after, 1_000_000)}
    )


def test_an_instant_comes_once():
    assert due(At(100), 0, 1000) == [100]
    assert due(At(100), 100, 1000) == []
    assert list(slots(At(100), 99)) == [100]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("0 2 * *", "give five fields"),
        ("0 0 2 * * *", "give five fields"),
        ("@daily", "give five fields"),
        ("60 2 * * *", "its minute is not valid"),
        ("0 2 * * FUNDAY", "its day-of-week is not valid"),
        ("0 0 31 2 *", "its day-of-month is not valid"),
        ("0 0 29 2 MON#5", None),
    ],
)
def test_cron_that_cannot_be_meant_is_refused(expression, says):
    if says is None:
        assert time_options.cron(expression, "UTC", YEAR[0]) == Cron(expression, "UTC")
        return
    with pytest.raises(UsageError, match=says):
        time_options.cron(expression, "UTC", YEAR[0])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("6h", 21_600), ("90m", 5_400), ("1d", 86_400), ("1d12h", 129_600), ("2 w", 1_209_600), ("60s", 60)],
)
def test_intervals(text, seconds):
    assert time_options.every(text, 5.9) == Every(seconds, 5)


@pytest.mark.parametrize("text", ["", "6", "h", "6x", "-1h", "1.5h", "59s", "0m", "6h!", "soon"])
def test_intervals_that_cannot_be_meant_are_refused(text):
    with pytest.raises(UsageError, match=r"^--every"):
        time_options.every(text, 0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Europe/Pariss", "did you mean Europe/Paris"),
        ("paris", "did you mean Europe/Paris"),
        ("new york", "did you mean America/New_York"),
        ("nowhere-at-all", "name one such as"),
        ("../etc/passwd", "this time zone does not exist"),
    ],
)
def test_an_unknown_zone_is_refused_with_near_ones(name, says):
    with pytest.raises(UsageError, match=says):
        time_options.zone(name)


def test_zones_are_found_whatever_their_case_and_this_machine_has_one():
    assert time_options.zone("europe/paris") == "Europe/Paris"
    assert ZoneInfo(time_options.zone(None))


def test_an_instant_is_local_unless_it_says_its_offset():
    now = at("2026-12-01T00:00", "UTC")

    assert time_options.at("2026-12-24T18:00", "Europe/Paris", now) == At(at("2026-12-24T17:00", "UTC"))
    assert time_options.at("2026-12-24T18:00Z", "Europe/Paris", now) == At(at("2026-12-24T18:00", "UTC"))
    for text, says in [
        ("2026-11-30", "has passed"),
        ("tomorrow", "give a day and a time"),
        ("2027-03-28T02:30", "this time is skipped"),
    ]:
        with pytest.raises(UsageError, match=says):
            time_options.at(text, "Europe/Paris", now)
