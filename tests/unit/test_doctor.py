"""What facts mean for jobs: the judgements of ``retouch doctor``, for what no server can be brought to here."""

from __future__ import annotations

import msgspec
import pytest

from jobs.doctor import api, broker, clock, schedules, store, versions, workers
from jobs.doctor.finding import Grade
from pipeline.attempt import Verdict
from pipeline.gemini.description import Description
from pipeline.gemini.judgement import Judgement
from workers.monitoring.backlog import Backlog
from workers.monitoring.inspection import Server, Workforce
from workers.shared.board_types import WorkerCard


def graded(findings) -> dict[str, Grade]:
    return {finding.check: finding.grade for finding in findings}


WELL = Server(
    name="redis",
    version="8.0.1",
    replica=False,
    cluster=False,
    loading=False,
    eviction="noeviction",
    append_only=True,
    sync="everysec",
    seconds=0.001,
)


def judged(**change) -> dict[str, Grade]:
    known = broker.Broker(
        where="redis://x", meant=True, lease=10.0, server=msgspec.structs.replace(WELL, **change)
    )
    return graded(broker.judge(known))


@pytest.mark.parametrize(
    ("change", "check", "grade"),
    [
        ({}, "settings", Grade.OK),
        ({"version": "6.0.16"}, "redis", Grade.FAULT),
        ({"version": "6.2.0"}, "settings", Grade.OK),
        ({"cluster": True}, "redis", Grade.FAULT),
        ({"loading": True}, "redis", Grade.WARNING),
        ({"eviction": "volatile-lru"}, "eviction", Grade.WARNING),
        ({"eviction": "volatile-lru", "memory": 0.1}, "eviction", Grade.FAULT),
        ({"memory": 0.95}, "memory", Grade.WARNING),
        ({"append_only": False}, "persistence", Grade.WARNING),
        ({"write_failed": True}, "persistence", Grade.FAULT),
        ({"seconds": 1.2}, "latency", Grade.WARNING),
        ({"eviction": None, "append_only": None, "hidden": ("INFO",)}, "settings", Grade.OK),
    ],
)
def test_settings_of_redis(change, check, grade):
    assert judged(**change)[check] is grade


@pytest.mark.parametrize(
    ("skews", "grade"),
    [
        ({"the API": 0.7, "Redis": -0.1}, Grade.OK),
        ({"the API": None, "Redis": 20.0}, Grade.WARNING),
        ({"the API": -4000.0, "Redis": 0.0}, Grade.FAULT),
    ],
)
def test_clocks(skews, grade):
    assert graded(clock.judge(skews)) == {"clock": grade}


def test_a_clock_that_nobody_knows_is_not_judged():
    assert clock.judge({"the API": None}) == []


OPEN = Backlog(messages=4, jobs=1, shards=3, rows=120, workers=1)


@pytest.mark.parametrize(
    ("cards", "overdue", "grade", "said"),
    [
        ((), 0, Grade.FAULT, "no worker is running"),
        ((WorkerCard(4, 16, {"j": (9, 30.0, None)}),), 3, Grade.OK, "9 calls in flight"),
        ((WorkerCard(4, 16),), 3, Grade.FAULT, "3 messages have been waiting"),
        (
            (WorkerCard(4, 16, {"j": (0, 0.0, "the API asked for a pause")}),),
            3,
            Grade.WARNING,
            "asked for a pause",
        ),
    ],
)
def test_workers_are_judged_by_what_they_do(cards, overdue, grade, said):
    (finding,) = workers.judge(Workforce(cards=cards, before=OPEN, overdue=overdue))
    assert finding.grade is grade
    assert said in finding.text


@pytest.mark.parametrize(
    ("live", "waiting", "scheduler", "grades"),
    [
        (0, (), False, {}),
        (2, (), True, {"schedules": Grade.OK}),
        (2, ("nightly",), True, {"schedules": Grade.WARNING}),
        (2, (), False, {"schedules": Grade.FAULT}),
    ],
)
def test_schedules_need_a_scheduler(live, waiting, scheduler, grades):
    table = schedules.Timetable(live=live, waiting=waiting, scheduler=scheduler)
    assert graded(schedules.judge(table)) == grades


def test_a_store_that_is_slow_or_nearly_full_is_warned_of():
    tried = store.Tried(where="d", seconds=9.0, free=10)
    assert graded(store.judge(tried)) == {"store": Grade.WARNING, "disk": Grade.WARNING}


@pytest.mark.parametrize(
    ("verdict", "check", "grade"),
    [
        (Verdict.DENIED, "key", Grade.FAULT),
        (Verdict.NOT_FOUND, "model", Grade.FAULT),
        (Verdict.NETWORK, "api", Grade.FAULT),
        (Verdict.OVERLOADED, "api", Grade.WARNING),
        (Verdict.THROTTLED, "api", Grade.WARNING),
        # What nobody has thought of is no success.
        (Verdict.TEXT_ONLY, "api", Grade.FAULT),
    ],
)
def test_answers_of_the_api(verdict, check, grade):
    said = api.Api(
        model="m", keys=("GEMINI_API_KEY",), described=Description(refused=Judgement(verdict=verdict))
    )
    assert graded(api.judge(said))[check] is grade


@pytest.mark.parametrize(
    ("model", "methods", "grade"),
    [
        ("gemini-nano-banana-2.1", ("generateContent",), Grade.OK),
        ("gemini-nano-banana-2.1", ("embedContent",), Grade.FAULT),
        ("a-model-of-tomorrow", ("generateContent",), Grade.WARNING),
    ],
)
def test_models(model, methods, grade):
    said = api.Api(model=model, keys=("GEMINI_API_KEY",), described=Description(methods=methods))
    assert graded(api.judge(said))["model"] is grade


def test_a_package_of_another_version_is_at_fault():
    assert graded(versions.judge(versions.read())) == {"versions": Grade.OK}
    wrong = msgspec.structs.replace(versions.read(), wrong=("celery 5.4 is not <5.8,>=5.7",))
    assert graded(versions.judge(wrong)) == {"versions": Grade.FAULT}
