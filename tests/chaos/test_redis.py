"""Redis dies, forgets, is full, or is out of reach. It coordinates and owns nothing: a job loses time, no more."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import RedisError

from tests.chaos.ground import LEASE, Ground
from tests.chaos.judge import judge
from tests.chaos.processes import Process
from tests.chaos.proxy import Proxy
from tests.chaos.standing import StandingCrew
from tests.chaos.waiting import holds_for, lasts, until
from workers.celery.app import make_app, publish
from workers.shared.board_types import Hint

SLOTS = 8


@pytest.fixture(scope="module")
def standing(api, own_server, own_proxy, tmp_path_factory) -> Iterator[StandingCrew]:
    """Two workers that survive whatever happens to Redis."""
    own_server.anew()
    crew = StandingCrew(Ground(tmp_path_factory.mktemp("crew"), api, own_server, own_proxy.url), SLOTS)
    yield crew
    crew.end()


@pytest.fixture
def crew(standing: StandingCrew) -> Iterator[StandingCrew]:
    yield standing
    standing.take_back()


@pytest.fixture
def alone(standing: StandingCrew) -> None:
    """Nobody but the workers of the test takes its job."""
    standing.end()


def at_work(ground: Ground, rows: int, crew: StandingCrew | None = None) -> tuple[str, list[Process]]:
    """A job of *rows* in its midst, and the workers that do it: *crew*, or two of its own."""
    ground.manifest(rows)
    workers = crew.lend(ground) if crew else [ground.worker(SLOTS), ground.worker(SLOTS)]
    job = ground.submit()
    ground.manned(*workers)
    until(lambda: ground.api.answered() >= SLOTS, 20, "the job to be in its midst")
    return job, workers


def outage(ground: Ground, workers: list[Process]) -> None:
    """Note that all that is in flight may be lost to others: leases run out while Redis is away."""
    ground.lost.append(SLOTS * len(workers))


def test_redis_is_killed_and_comes_back(ground, server, crew, full):
    rows, seconds = (600, 20) if full else (60, 1.8)
    ground.api.order({"latency": "0.5"})
    job, workers = at_work(ground, rows, crew)
    server.kill()
    outage(ground, workers)
    lasts(seconds)
    server.start()
    ground.to_its_end(job)
    assert all(worker.alive for worker in workers)
    judge(ground, rows)


@pytest.mark.timeout(300)
def test_redis_is_killed_again_and_again(ground, server, only_in_full, alone, chance):
    rows = 1000
    ground.api.order({"latency": "uniform:0.2:0.8"})
    job, workers = at_work(ground, rows)
    for _ in range(6):
        holds_for(lambda: server.state(job) != "finished", chance.uniform(1, 3))
        server.kill()
        outage(ground, workers)
        lasts(chance.uniform(0.1, 2 * LEASE))
        server.start()
    ground.to_its_end(job)
    judge(ground, rows)


def test_redis_forgets_everything(ground, server, crew, full):
    """FLUSHALL in mid-job: the job comes back by itself, out of its folder, and ends by itself."""
    rows = 600 if full else 60
    ground.api.order({"latency": "0.5"})
    job, workers = at_work(ground, rows, crew)
    server.redis.flushall()
    outage(ground, workers)
    until(lambda: "state" in server.head(job), 12, "the job to be built again from its folder")
    ground.to_its_end(job)
    judge(ground, rows)


@pytest.mark.timeout(300)
def test_a_flush_costs_at_most_thirty_seconds(make_ground, api, server, only_in_full, alone):
    rows = 1000
    api.begin({"latency": "1"})
    calm = make_ground("calm", RETOUCH_LEASE_SECONDS="10")
    job, _ = at_work(calm, rows)
    undisturbed = calm.to_its_end(job, 120)
    calm.processes.end()
    api.begin({"latency": "1"})
    ground = make_ground("flushed", RETOUCH_LEASE_SECONDS="10")
    job, workers = at_work(ground, rows)
    began = time.monotonic()
    until(lambda: api.answered() >= rows / 3, 120)
    server.redis.flushall()
    outage(ground, workers)
    until(lambda: "state" in server.head(job), 30, "the job to be built again")
    ground.to_its_end(job, undisturbed + 40)
    later = time.monotonic() - began - undisturbed
    print(f"{later:.1f} s later than undisturbed")
    judge(ground, rows)
    assert later <= 30


def test_a_job_that_redis_has_forgotten_is_submitted_again(ground, server, only_in_full, alone):
    """What a person can do in any case."""
    rows = 100
    ground.api.order({"latency": "0.5"})
    job, workers = at_work(ground, rows)
    server.redis.flushall()
    outage(ground, workers)
    assert ground.submit() == job
    ground.to_its_end(job)
    judge(ground, rows)


def test_redis_is_out_of_memory(ground, server, crew, full):
    """Messages come to workers in the midst of their job while nothing can be written."""
    # Two shards, so that threads are free to take what comes.
    rows, seconds = 60, 15 if full else 0.5
    ground.api.order({"latency": "0.5"})
    job, workers = at_work(ground, rows, crew)
    # Frozen, so that all are there before Redis is full: some in their sockets, for they wait for one.
    for worker in workers:
        worker.freeze()
    app = make_app(ground.environment["RETOUCH_REDIS_URL"])
    publish(app, [Hint(job, 1, True)] * 6)
    app.close()
    server.redis.config_set("maxmemory-policy", "noeviction")
    server.redis.config_set("maxmemory", 1)
    outage(ground, workers)
    assert len(server.messages()) >= 4
    assert not _takes_writes(server)
    for worker in workers:
        worker.thaw()
    until(lambda: not server.messages(), 10, "the messages to be taken while Redis is full")
    lasts(seconds)
    assert not _takes_writes(server), "it was full all the time"
    server.redis.config_set("maxmemory", 0)
    ground.to_its_end(job)
    assert all(worker.alive for worker in workers), "a full Redis ends no worker"
    assert not any("Connection to broker lost" in said for _, said in ground.said()), (
        "nor does a consumer fail"
    )
    judge(ground, rows)


def test_connections_are_cut_again_and_again(ground, server, proxy, crew, full):
    rows, times = (600, 40) if full else (60, 6)
    ground.api.order({"latency": "0.5"})
    job, workers = at_work(ground, rows, crew)
    cut = 0
    for _ in range(times):
        holds_for(lambda: server.state(job) != "finished", 0.25)
        cut += proxy.cut()
    assert cut >= times
    ground.to_its_end(job)
    assert all(worker.alive for worker in workers)
    # Connections come back at once: no lease has run out.
    judge(ground, rows, unknown=0)


def test_redis_is_out_of_reach_for_longer_than_a_lease(ground, proxy, crew, full):
    """A network that swallows everything: workers wait, and go on when it is back."""
    out_of_reach(ground, proxy, crew, proxy.stall, *((600, 60) if full else (60, 1.5 * LEASE)))


def test_redis_refuses_for_longer_than_a_lease(ground, proxy, crew, only_in_full):
    out_of_reach(ground, proxy, crew, proxy.refuse, 600, 30)


def out_of_reach(
    ground: Ground, proxy: Proxy, crew: StandingCrew, break_off: Callable[[], None], rows: int, seconds: float
) -> None:
    ground.api.order({"latency": "0.5"})
    job, workers = at_work(ground, rows, crew)
    break_off()
    outage(ground, workers)
    lasts(seconds)
    # Without a lease nobody calls.
    calls = ground.api.summary()["calls"]
    assert holds_for(lambda: ground.api.summary()["calls"] == calls, 0.5)
    proxy.anew()
    ground.to_its_end(job)
    assert all(worker.alive for worker in workers)
    judge(ground, rows)


def test_a_job_that_is_cancelled_while_redis_is_away_is_cancelled_when_it_is_back(
    ground, server, proxy, only_in_full, alone
):
    ground.api.order({"latency": "0.5"})
    job, workers = at_work(ground, 400)
    proxy.refuse()
    outage(ground, workers)
    assert ground.retouch("cancel", job).returncode == 0
    lasts(2)
    proxy.anew()
    until(lambda: server.state(job) == "cancelled", 60, "the job to be cancelled")
    outcomes = [record["outcome"] for record in ground.records()]
    assert (len(outcomes), set(outcomes)) == (400, {"done", "cancelled"})
    ground.check_pictures()


@pytest.mark.timeout(180)
def test_pictures_in_flight_are_kept_when_redis_ends_before_its_workers(ground, server, only_in_full, alone):
    """As when all of a stack is stopped at once: nobody can tell any more whose the shards are."""
    ground.api.order({"latency": "4"})
    ground.manifest(30)
    leaving = ground.worker(SLOTS)
    job = ground.submit()
    until(lambda: ground.api.summary()["in_flight"] == SLOTS, 20, "calls in flight")
    server.kill()
    leaving.signal(signal.SIGTERM)
    leaving.wait(60)
    paid = ground.api.summary()["paid"]
    assert paid >= SLOTS
    assert len(list((ground.out / "images").iterdir())) == paid, "what was paid for is kept"
    server.start()
    ground.api.order()
    ground.worker(SLOTS)
    ground.to_its_end(job)
    judge(ground, 30, unknown=0)
    assert ground.api.summary()["paid"] == 30


@pytest.mark.timeout(180)
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_a_worker_that_hears_no_messages_notices_it(ground, server, proxy, only_in_full, alone, for_ever):
    """Half-open connections, on which nothing comes any more: it connects anew, or ends for its supervisor."""
    rows = 400
    ground.environment["RETOUCH_STALLED_SECONDS"] = "3"
    ground.api.order({"latency": "0.2"})
    ground.manifest(rows)
    worker = ground.worker(SLOTS)
    job = ground.submit()
    until(lambda: ground.api.answered() >= SLOTS, 20)
    assert proxy.lose_consumers(for_ever=for_ever)
    until(lambda: "consumer_stalled" in worker.log, 60, "the worker to notice")
    assert server.state(job) != "finished", "there was open work"
    assert server.messages(), "of which nothing was heard"
    if for_ever:
        until(lambda: not worker.alive, 60, "the worker to end")
        assert worker.code == 1, "an end that a supervisor takes for a failure"
        assert server.state(job) != "finished"
        proxy.anew()
        ground.worker(SLOTS)
    ground.to_its_end(job)
    assert worker.alive is not for_ever
    # Its calls in flight were let finish: nothing is unknown.
    judge(ground, rows, unknown=0)


def _takes_writes(server) -> bool:
    try:
        return bool(server.redis.set("probe", "1"))
    except RedisError:
        return False
