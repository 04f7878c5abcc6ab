"""The parts of a worker process, each alone."""

from __future__ import annotations

import asyncio
import threading

import pytest
from celery.app.defaults import DEFAULTS
from celery.app.task import Task

from pipeline.brake import Brake
from pipeline.edit import State
from pipeline.errors import BrokerError, UsageError
from workers.app import SETTINGS, TASK_OPTIONS, make_app
from workers.lease import RedisLease
from workers.loop import LoopThread
from workers.patience import patiently
from workers.settings import Settings, lease_seconds
from workers.slots import JobSlots
from workers.tasks import add_shard_task


class TestCelery:
    """Celery takes any misspelt option in silence: what counts is what is in effect."""

    @pytest.fixture
    def app(self):
        app = make_app("redis://127.0.0.1:1/0")
        yield app
        app.close()

    @pytest.mark.parametrize("name", SETTINGS)
    def test_every_setting_is_known_and_in_effect(self, app, name):
        assert name in DEFAULTS, "Celery has no such setting"
        assert app.conf[name] == SETTINGS[name]

    @pytest.mark.parametrize("name", TASK_OPTIONS)
    def test_every_option_of_the_task_is_in_effect(self, app, name):
        task = add_shard_task(app, lambda job, shard: None)
        assert hasattr(Task, name), "Celery's tasks have no such option"
        assert getattr(task, name) == TASK_OPTIONS[name]

    def test_the_task_hands_on_what_the_message_says(self, app):
        settled = []
        task = add_shard_task(app, lambda job, shard: settled.append((job, shard)))
        assert task("job", 7) is None
        assert settled == [("job", 7)]
        assert [name for name in app.tasks if not name.startswith("celery.")] == ["retouch.shard"]

    def test_no_results_are_kept(self, app):
        assert app.backend.as_uri() == "disabled://"


class TestLease:
    def test_it_ends_before_the_servers(self):
        now = 100.0
        lease = RedisLease("1:w", 10.0, sent=now, clock=lambda: now)
        now = 108.9
        assert lease.held()
        now = 109.1
        assert not lease.held()

    def test_it_counts_from_when_the_renewal_was_sent(self):
        now = 100.0
        lease = RedisLease("1:w", 10.0, sent=now, clock=lambda: now)
        now = 108.0
        lease.renewed(sent=103.0)
        now = 111.9
        assert lease.held()
        now = 112.1
        assert not lease.held()

    def test_an_older_answer_shortens_nothing(self):
        lease = RedisLease("1:w", 10.0, sent=100.0, clock=lambda: 112.0)
        lease._until = 200.0
        lease.renewed(sent=101.0)
        assert lease._until == 200.0

    def test_what_is_lost_stays_lost(self):
        now = 100.0
        lease = RedisLease("1:w", 10.0, sent=now, clock=lambda: now)
        now = 120.0
        lease.renewed(sent=119.9)
        assert not lease.held()
        fresh = RedisLease("1:w", 10.0, sent=now, clock=lambda: now)
        fresh.lost()
        fresh.renewed(sent=now)
        assert not fresh.held()


class TestSlots:
    async def test_the_smaller_bound_holds(self):
        shared = asyncio.Semaphore(5)
        one, other = JobSlots(3, shared), JobSlots(3, shared)
        for _ in range(3):
            await asyncio.wait_for(one.acquire(), 1)
        assert one.locked()
        assert not other.locked()
        for _ in range(2):
            await asyncio.wait_for(other.acquire(), 1)
        assert other.locked()
        assert shared.locked()

    async def test_a_slot_that_comes_free_in_one_job_serves_another(self):
        shared = asyncio.Semaphore(1)
        one, other = JobSlots(3, shared), JobSlots(3, shared)
        await one.acquire()
        waiting = asyncio.create_task(other.acquire())
        await asyncio.sleep(0)
        one.release()
        assert await asyncio.wait_for(waiting, 1)
        assert one.locked()

    async def test_giving_up_gives_back(self):
        shared = asyncio.Semaphore(1)
        one, other = JobSlots(1, shared), JobSlots(1, shared)
        await one.acquire()
        waiting = asyncio.create_task(other.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        one.release()
        assert not other.locked()
        assert await asyncio.wait_for(other.acquire(), 1)

    async def test_never_more_in_flight_than_either_bound(self):
        shared = asyncio.Semaphore(5)
        jobs = [JobSlots(3, shared) for _ in range(4)]
        flying = dict.fromkeys(jobs, 0)
        most = 0

        async def call(slots: JobSlots) -> None:
            nonlocal most
            await slots.acquire()
            flying[slots] += 1
            most = max(most, sum(flying.values()))
            assert flying[slots] <= 3
            await asyncio.sleep(0)
            flying[slots] -= 1
            slots.release()

        await asyncio.wait_for(asyncio.gather(*(call(slots) for slots in jobs for _ in range(50))), 5)
        assert most == 5


class TestPatience:
    async def test_it_asks_until_redis_is_back(self):
        answers = [BrokerError("away"), BrokerError("away"), 7]

        async def ask() -> int:
            answer = answers.pop(0)
            if isinstance(answer, BrokerError):
                raise answer
            return answer

        assert await patiently(lambda: ask(), Brake(), 0) == 7  # noqa: PLW0108 - rows pass lambdas
        answers.extend([BrokerError("away"), 7])
        assert await patiently(ask, Brake(), 0) == 7

    async def test_a_stopped_job_waits_for_nothing(self):
        brake = Brake()

        async def ask() -> int:
            brake.stop(State.QUEUED)
            raise BrokerError("away")

        assert await asyncio.wait_for(patiently(ask, brake, -1), 1) == -1


class TestLoop:
    def test_threads_wait_for_what_they_hand_it(self):
        async def where() -> str:
            return threading.current_thread().name

        with LoopThread() as loop:
            assert loop.run(where()) == "retouch-loop"

    def test_faults_come_back(self):
        async def fails() -> None:
            raise ValueError("here")

        with LoopThread() as loop, pytest.raises(ValueError, match="here"):
            loop.run(fails())


class TestSettings:
    @pytest.mark.parametrize(("slots", "threads"), [(1, 3), (49, 3), (64, 4), (1000, 23)])
    def test_threads(self, slots, threads):
        assert Settings(redis_url="", slots=slots).threads == threads

    def test_a_lease_outlives_two_lost_beats(self):
        assert Settings(redis_url="", slots=1, lease=1.5).beat == 0.5
        assert Settings(redis_url="", slots=1).beat == 1.0

    def test_no_key_in_its_text(self):
        assert "secret" not in repr(Settings(redis_url="", slots=1, key="secret"))

    def test_the_lease_of_the_environment(self):
        assert lease_seconds({}) == 10.0
        assert lease_seconds({"RETOUCH_LEASE_SECONDS": "2"}) == 2.0

    @pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "99999"])
    def test_a_lease_that_cannot_be_meant(self, text):
        with pytest.raises(UsageError, match="RETOUCH_LEASE_SECONDS"):
            lease_seconds({"RETOUCH_LEASE_SECONDS": text})
