"""The parts of a worker process, each alone."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from types import SimpleNamespace

import pytest
from celery.app.defaults import DEFAULTS
from celery.app.task import Task

from pipeline.engine.brake import Brake
from pipeline.engine.keeper import GRACE
from pipeline.errors import BrokerError, UsageError
from pipeline.status import State
from workers.celery.app import SETTINGS, TASK_OPTIONS, make_app
from workers.celery.tasks import add_shard_task
from workers.celery.transport import Transport, Unacknowledged
from workers.loop import LoopThread
from workers.periodic.watchdog import Watchdog
from workers.settings import Settings, lease_seconds
from workers.shards.quarantine import DRAIN, Quarantine
from workers.shared.budget import Purse
from workers.shared.lease import RedisLease
from workers.shared.retry import retry_until_stopped
from workers.shared.slots import JobSlots


async def _nothing() -> None:
    """Nobody asks whether a shard has begun."""


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

    def test_messages_are_not_acknowledged(self, app):
        connection = app.connection_for_read()
        assert connection.get_transport_cls() is Transport
        assert Transport.Channel.QoS is Unacknowledged
        assert connection.transport.driver_type == "redis", "by which Celery knows that it need not prefetch"

    @pytest.mark.parametrize(
        ("url", "trusts"),
        [
            ("rediss://h:1/0", ssl.CERT_REQUIRED),
            ("rediss://h:1/0?ssl_cert_reqs=none", ssl.CERT_NONE),
        ],
    )
    def test_an_encrypted_broker_must_show_its_certificate(self, url, trusts):
        app = make_app(url)
        assert app.connection_for_read().ssl["ssl_cert_reqs"] is trusts
        app.close()

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

    def test_what_ran_out_and_was_not_taken_is_ours_again(self):
        now = 100.0
        lease = RedisLease("1:w", 10.0, sent=now, clock=lambda: now)
        now = 120.0
        assert not lease.held()
        lease.renewed(sent=119.9)
        assert lease.held()

    def test_an_answer_that_comes_when_it_is_over_again_is_no_claim(self):
        now = 100.0
        lease = RedisLease("1:w", 10.0, sent=now, clock=lambda: now)
        now = 120.0
        lease.renewed(sent=105.0)
        assert not lease.held()

    def test_what_is_lost_stays_lost(self):
        lease = RedisLease("1:w", 10.0, sent=100.0, clock=lambda: 100.0)
        lease.lost()
        lease.renewed(sent=100.0)
        assert not lease.held()

    async def test_it_waits_until_the_server_says_ours(self):
        lease = RedisLease("1:w", 10.0, sent=time.monotonic() - 60)
        asking = asyncio.create_task(lease.sure())
        await asyncio.sleep(0.15)
        assert not asking.done()
        lease.renewed(time.monotonic())
        assert await asyncio.wait_for(asking, 20)

    async def test_it_waits_until_the_server_says_anothers(self):
        lease = RedisLease("1:w", 10.0, sent=time.monotonic() - 60)
        asking = asyncio.create_task(lease.sure())
        await asyncio.sleep(0.15)
        lease.lost()
        assert not await asyncio.wait_for(asking, 20)

    async def test_it_does_not_wait_for_ever(self):
        now = 160.0
        lease = RedisLease("1:w", 10.0, sent=100.0, clock=lambda: now)
        asking = asyncio.create_task(lease.sure())
        await asyncio.sleep(0.15)
        assert not asking.done()
        now += 601
        assert not await asyncio.wait_for(asking, 20)

    async def test_a_stopped_job_waits_for_its_grace(self):
        now = 160.0
        lease = RedisLease("1:w", 10.0, sent=100.0, clock=lambda: now)
        lease.brake = Brake()
        lease.brake.stop(State.QUEUED)
        asking = asyncio.create_task(lease.sure())
        await asyncio.sleep(0.15)
        now += GRACE - 1
        await asyncio.sleep(0.15)
        assert not asking.done(), "what is in hand was paid for"
        now += 1
        assert not await asyncio.wait_for(asking, 20)


class TestSlots:
    async def test_the_smaller_bound_holds(self):
        shared = asyncio.Semaphore(5)
        one, other = JobSlots(3, shared), JobSlots(3, shared)
        for _ in range(3):
            await asyncio.wait_for(one.acquire(), 20)
        assert one.locked()
        assert not other.locked()
        for _ in range(2):
            await asyncio.wait_for(other.acquire(), 20)
        assert other.locked()
        assert shared.locked()

    async def test_a_slot_that_comes_free_in_one_job_serves_another(self):
        shared = asyncio.Semaphore(1)
        one, other = JobSlots(3, shared), JobSlots(3, shared)
        await one.acquire()
        waiting = asyncio.create_task(other.acquire())
        await asyncio.sleep(0)
        one.release()
        assert await asyncio.wait_for(waiting, 20)
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
        assert await asyncio.wait_for(other.acquire(), 20)

    async def test_the_shard_that_came_first_is_served_first(self):
        slots = JobSlots(1, asyncio.Semaphore(9))
        old, new = slots.shard(_nothing), slots.shard(_nothing)
        await new.acquire()
        waiting = {
            name: asyncio.create_task(shard.acquire())
            for name, shard in (("new", new), ("gone", old), ("old", old))
        }
        await asyncio.sleep(0)
        waiting.pop("gone").cancel()
        new.release()
        done, _ = await asyncio.wait(waiting.values(), timeout=1, return_when=asyncio.FIRST_COMPLETED)
        assert done == {waiting["old"]}
        old.release()
        assert await asyncio.wait_for(waiting["new"], 20)

    async def test_what_a_dead_worker_has_left_goes_first(self):
        slots = JobSlots(1, asyncio.Semaphore(9))
        own, left = slots.shard(_nothing), slots.shard(_nothing, orphaned=True)
        await own.acquire()
        waiting = {name: asyncio.create_task(s.acquire()) for name, s in (("own", own), ("left", left))}
        await asyncio.sleep(0)
        own.release()
        done, _ = await asyncio.wait(waiting.values(), timeout=1, return_when=asyncio.FIRST_COMPLETED)
        assert done == {waiting["left"]}
        left.release()
        assert await asyncio.wait_for(waiting["own"], 20)

    async def test_it_is_said_once_that_a_shard_begins_and_a_slot_is_not_lost_by_it(self):
        said = []

        async def begin() -> None:
            said.append(slots.locked())
            if len(said) == 1:
                await asyncio.Event().wait()

        slots = JobSlots(2, asyncio.Semaphore(2))
        shard = slots.shard(begin)
        first = asyncio.create_task(shard.acquire())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        for _ in range(2):
            assert await asyncio.wait_for(shard.acquire(), 20)
        assert said == [False, False], "once in vain, once before the first slot is used"
        assert slots.locked()

    async def test_a_slot_that_was_given_to_one_who_has_just_left_is_not_lost(self):
        slots = JobSlots(1, asyncio.Semaphore(9))
        await slots.acquire()
        waiting = asyncio.create_task(slots.acquire())
        await asyncio.sleep(0)
        slots.release()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await asyncio.wait_for(slots.acquire(), 20)

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

        assert await retry_until_stopped(lambda: ask(), Brake(), 0) == 7  # noqa: PLW0108 - rows pass lambdas
        answers.extend([BrokerError("away"), 7])
        assert await retry_until_stopped(ask, Brake(), 0) == 7

    async def test_a_stopped_job_waits_for_nothing(self):
        brake = Brake()

        async def ask() -> int:
            brake.stop(State.QUEUED)
            raise BrokerError("away")

        assert await asyncio.wait_for(retry_until_stopped(ask, brake, -1), 20) == -1


class TestWatchdog:
    """What is done about a consumer that takes no messages, by the clock."""

    @pytest.fixture
    def scene(self):
        now = SimpleNamespace(time=1000.0)
        done: list[str] = []

        async def overdue(seconds: float) -> int:
            return scene.messages

        tools = SimpleNamespace(
            settings=Settings(redis_url="", slots=64, stalled=30.0), board=SimpleNamespace(overdue=overdue)
        )
        station = SimpleNamespace(tools=tools, last_message=0.0, busy_threads=0, stopping=False)
        watchdog = Watchdog(
            station, lambda: done.append("reconnect"), lambda: done.append("end"), lambda: now.time
        )
        scene = SimpleNamespace(station=station, done=done, messages=1)

        async def later(seconds: float) -> list[str]:
            for _ in range(int(seconds)):
                now.time += 1
                await watchdog.look()
            return done

        scene.later, scene.now = later, now
        return scene

    async def test_first_it_connects_anew_then_it_ends(self, scene):
        assert await scene.later(29) == []
        assert await scene.later(1) == ["reconnect"]
        assert await scene.later(29) == ["reconnect"]
        assert await scene.later(1) == ["reconnect", "end"]

    async def test_a_message_says_that_all_is_well(self, scene):
        await scene.later(31)
        scene.station.last_message = scene.now.time
        assert await scene.later(29) == ["reconnect"]
        assert await scene.later(2) == ["reconnect", "reconnect"]

    @pytest.mark.parametrize("reason", [{"busy_threads": 4}, {"stopping": True}])
    async def test_who_cannot_take_any_has_not_stalled(self, scene, reason):
        vars(scene.station).update(reason)
        assert await scene.later(100) == []

    async def test_without_messages_nobody_has_stalled(self, scene):
        scene.messages = 0
        assert await scene.later(100) == []


class TestQuarantine:
    def test_a_suspect_is_alone(self):
        quarantine = Quarantine()
        quarantine.make_room(("job", 2))
        assert quarantine.lets(("job", 2))
        assert not quarantine.lets(("job", 1)), "room is made for it"
        quarantine.begin(("job", 2), alone=True)
        assert not quarantine.lets(("job", 1))
        quarantine.end(("job", 1))
        assert not quarantine.lets(("job", 1))
        quarantine.end(("job", 2))
        assert quarantine.lets(("job", 1))

    def test_one_that_was_acquitted_while_room_was_made_for_it_has_no_need_of_it(self):
        quarantine = Quarantine()
        quarantine.make_room(("job", 2))
        quarantine.begin(("job", 2), alone=False)
        assert quarantine.lets(("job", 1))

    def test_it_is_not_waited_for_without_an_end(self):
        now = 0.0
        quarantine = Quarantine(lambda: now)
        quarantine.make_room(("job", 2))
        assert not quarantine.lets(("job", 1))
        now = DRAIN
        assert quarantine.lets(("job", 1))


class TestPurse:
    def test_what_redis_has_heard_is_not_counted_twice_when_it_begins_anew(self):
        purse = Purse()
        purse.counted_from("1")
        purse.spent = 5
        purse.heard(purse.news(), "1")
        purse.spent = 7
        purse.counted_from("2")
        assert purse.spent == 2
        assert purse.news().startswith("0 2 ")

    def test_what_was_said_to_the_server_that_has_forgotten_it_is_said_again(self):
        purse = Purse()
        purse.counted_from("1")
        purse.spent = 5
        said = purse.news()
        purse.counted_from("2")
        purse.heard(said, "1")
        assert purse.news()


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
