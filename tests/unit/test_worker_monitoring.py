"""Whether a worker or a scheduler makes progress, and which limit binds its jobs: the judgements."""

from __future__ import annotations

import msgspec
import pytest

from workers.monitoring.binding import BindingLimit, Pressure, binding
from workers.monitoring.health import Vitals, fault, rounds_fault

WELL = Vitals(silent=0.4, idle=2.0, shards=3, timeout=300.0, stalled=False)
EASY = Pressure(redis_away=False, waiting=False, hold=0.0, short=False, booked=-1.0, full=False)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"idle": 359.0},
        # Nothing is open here: nothing need happen.
        {"shards": 0, "idle": 86_400.0},
        {"silent": 29.0},
    ],
)
def test_progress_is_healthy(change):
    assert fault(msgspec.structs.replace(WELL, **change)) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"silent": 31.0}, "event loop"),
        ({"idle": 361.0}, "3 shards are open here"),
        ({"idle": 70.0, "timeout": 5.0}, "no call may take more than 5 s"),
        ({"stalled": True}, "messages are waiting"),
    ],
)
def test_open_work_without_progress_is_not(change, said):
    assert said in (fault(msgspec.structs.replace(WELL, **change)) or "")


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({}, BindingLimit.ROWS),
        ({"full": True}, BindingLimit.SLOTS),
        ({"full": True, "booked": 0.5}, BindingLimit.RPM),
        ({"booked": 0.5, "short": True}, BindingLimit.BUDGET),
        ({"hold": 0.1, "short": True, "booked": 3.0}, BindingLimit.API),
        ({"hold": 9.0, "waiting": True}, BindingLimit.STORE),
        ({"redis_away": True, "waiting": True, "full": True}, BindingLimit.REDIS),
    ],
)
def test_the_limit_that_binds(change, limit):
    assert binding(msgspec.structs.replace(EASY, **change)) is limit


def test_a_scheduler_that_looks_what_is_due_is_healthy():
    assert rounds_fault(silent=1.0, age=299.0) is None
    assert "event loop" in (rounds_fault(silent=31.0, age=1.0) or "")
    assert rounds_fault(silent=1.0, age=301.0) == "it has not looked for due runs for 301 s"
