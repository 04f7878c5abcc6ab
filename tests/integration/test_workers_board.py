"""What workers agree on in Redis: claims, leases, messages, sums, ends."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.errors import BrokerError
from pipeline.ports import Wanted
from pipeline.status import State, Totals
from workers.celery.app import make_app, publish
from workers.shared import board as board_module
from workers.shared.board import AHEAD, FEWEST, Board
from workers.shared.board_types import Placement, ShardReport, WorkerCard
from workers.shared.connection import check, connect
from workers.shared.keys import FINISH, HINTED, PREFIX, QUEUE_LISTS, SPARED, SWEPT, of_job
from workers.shared.status import NO_WORKER, look, read_status, workers_alive

LEASE = 10.0


@pytest.fixture
def board(redis_client) -> Board:
    return Board(redis_client, "w1")


@pytest.fixture
def other(redis_client) -> Board:
    return Board(redis_client, "w2")


async def opened(
    board: Board, job: str = "job", shards: int = 3, folded=None, begun=None, wanted=None, **how
) -> None:
    place = Placement(out=f"/out/{job}", rows=shards * 50, shards=shards, wanted=wanted or Wanted(), **how)
    await board.open(job, place, folded or {}, begun or {})


async def alive(board: Board, threads: int = 4) -> None:
    await board.beat(LEASE, WorkerCard(threads=threads, slots=64), [], {})


def done(rows: int, **sums) -> Totals:
    return Totals(outcomes={"done": rows}, **sums)


async def folded(board: Board, shard: int, totals: Totals, job: str = "job") -> bool:
    claim = await board.claim(job, shard, LEASE)
    assert claim is not None
    return await board.fold(job, shard, claim.token, totals)


class TestLeases:
    async def test_a_shard_is_claimed_once(self, board, other):
        await opened(board)
        claim = await board.claim("job", 1, LEASE)
        assert claim is not None
        assert claim.out == "/out/job"
        assert await other.claim("job", 1, LEASE) is None
        assert await other.claim("job", 2, LEASE) is not None

    async def test_of_many_at_once_one_has_it(self, board):
        await opened(board)
        claims = await asyncio.gather(*(board.claim("job", 1, LEASE) for _ in range(20)))
        assert sum(claim is not None for claim in claims) == 1

    @pytest.mark.parametrize(("job", "shard"), [("job", 4), ("job", FINISH), ("never", 1)])
    async def test_what_is_not_there_is_not_to_be_had(self, board, job, shard):
        await opened(board)
        assert await board.claim(job, shard, LEASE) is None

    async def test_later_claims_have_higher_tokens(self, board):
        await opened(board)
        epochs = []
        for _ in range(3):
            claim = await board.claim("job", 1, LEASE)
            epochs.append(int(claim.token.partition(":")[0]))
            await board.release(ShardReport("job", 1, claim.token))
        assert epochs == sorted(set(epochs))

    async def test_a_lease_that_is_not_renewed_is_taken_over(self, board, other):
        await opened(board)
        stale = await board.claim("job", 1, 0.05)
        await asyncio.sleep(0.1)
        assert await other.claim("job", 1, LEASE) is None, "only the sweep takes it away"
        assert (await other.sweep())[0].shard == 1
        fresh = await other.claim("job", 1, LEASE)
        assert fresh is not None
        await board.release(ShardReport("job", 1, stale.token))
        assert not await board.fold("job", 1, stale.token, done(50))
        assert (await read_status(board.redis, "job")).outcomes["done"] == 0, "the stale worker says nothing"
        heard = await other.beat(LEASE, WorkerCard(), [ShardReport("job", 1, fresh.token)], {})
        assert heard.kept == [True]

    async def test_a_heartbeat_keeps_leases_and_tells_which_are_lost(self, board, other):
        await opened(board)
        claim = await board.claim("job", 1, 0.3)
        assert await other.claim("job", 2, LEASE)
        for _ in range(4):
            await asyncio.sleep(0.1)
            heard = await board.beat(
                0.3,
                WorkerCard(),
                [
                    ShardReport("job", 1, claim.token),
                    ShardReport("job", 2, "1:w1"),
                    ShardReport("never", 1, "1:w1"),
                ],
                {},
            )
            assert heard.kept == [True, False, None]
        assert 1 not in [hint.shard for hint in await other.sweep()]

    async def test_nobody_takes_a_shard_before_its_time(self, board):
        await opened(board, shards=1)
        claim = await board.claim("job", 1, LEASE)
        await board.release(ShardReport("job", 1, claim.token), 0.2)
        assert await board.sweep() == []
        assert await board.claim("job", 1, LEASE) is None
        await asyncio.sleep(0.25)
        assert await board.claim("job", 1, LEASE) is not None

    async def test_a_declined_shard_gets_another_message(self, board):
        await opened(board, shards=1)
        assert len(await board.sweep()) == 1
        await board.decline("job", 1, 0.05)
        assert await board.sweep() == []
        await asyncio.sleep(0.1)
        assert len(await board.sweep()) == 1


class TestComingBack:
    """A lease that ran out, and that nobody else has claimed, is its holder's when it is heard again."""

    @pytest.fixture
    async def lapsed(self, board, other):
        await opened(board, shards=1)
        claim = await board.claim("job", 1, 0.03)
        await asyncio.sleep(0.06)
        await other.sweep()
        return ShardReport("job", 1, claim.token)

    async def test_it_comes_back(self, board, other, lapsed):
        assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [True]
        assert await other.claim("job", 1, LEASE) is None
        assert await board.fold("job", 1, lapsed.token, done(50))

    async def test_it_may_fold_what_it_has(self, board, lapsed):
        assert await board.fold("job", 1, lapsed.token, done(50))

    async def test_not_when_another_has_claimed_it(self, board, other, lapsed):
        claim = await other.claim("job", 1, LEASE)
        assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [False]
        await other.release(ShardReport("job", 1, claim.token))
        assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [False], (
            "nor when it was given back"
        )

    async def test_not_when_its_holder_has_given_it_back(self, board, lapsed):
        await board.beat(LEASE, WorkerCard(), [lapsed], {})
        await board.release(lapsed)
        assert (await board.beat(LEASE, WorkerCard(), [lapsed], {})).kept == [False], (
            "a late heartbeat holds nothing"
        )

    async def test_after_an_outage_all_are_given_time_to(self, board, other):
        await opened(board, shards=1)
        await board.sweep()
        claim = await board.claim("job", 1, 0.03)
        await asyncio.sleep(0.06)
        await board.redis.decrby(SWEPT, 60_000)
        assert await other.sweep() == [], "nobody could renew a lease"
        assert (await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token)], {})).kept == [
            True
        ]

    async def test_the_dead_are_not_spared_again_and_again(self, board):
        await opened(board, shards=1)
        await board.sweep()
        await board.claim("job", 1, 0.03)
        await asyncio.sleep(0.06)
        for _ in range(2):
            await board.redis.decrby(SWEPT, 60_000)
            assert await board.sweep() == []
        # Its time is over, and it is too early for another.
        await board.redis.set(SPARED, 1, keepttl=True)
        await board.redis.decrby(SWEPT, 60_000)
        assert len(await board.sweep()) == 1


class TestLost:
    """A server that has lost everything: the job is put back from its folder, and its holders come back to it."""

    async def lose(self, board: Board, **how) -> None:
        await board.redis.flushall()
        await opened(board, begun={1: done(7, calls=9, cost_usd=0.5)}, only_lost=True, spare=0.2, **how)

    async def test_who_held_a_shard_holds_it_again(self, board, other):
        await opened(board)
        claim = await board.claim("job", 1, LEASE)
        held = ShardReport("job", 1, claim.token)
        await board.redis.flushall()
        heard = await board.beat(LEASE, WorkerCard(), [held], {"job": ""})
        assert (heard.kept, heard.known, heard.news["job"].state) == ([None], False, None)
        await self.lose(board)
        assert await other.claim("job", 1, LEASE) is None, "its holder is waited for"
        heard = await board.beat(LEASE, WorkerCard(), [held], {"job": ""})
        assert heard.kept == [True]
        assert heard.news["job"].born != claim.born

    async def test_others_take_what_nobody_comes_back_to(self, board, other):
        await opened(board)
        claim = await board.claim("job", 1, LEASE)
        await self.lose(board)
        await asyncio.sleep(0.25)
        assert await other.claim("job", 1, LEASE)
        assert (await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token)], {})).kept == [
            False
        ]

    async def test_what_is_begun_and_not_folded_counts(self, board):
        await self.lose(board)
        status = await read_status(board.redis, "job")
        assert (status.outcomes["done"], status.calls, status.cost_usd) == (7, 9, 0.5)
        assert (await board.redis.hgetall(of_job("job", "budget")))["earlier"] == "0 500000000 0"

    async def test_what_may_have_been_paid_for_counts_in_the_budget(self, board):
        await self.lose(board, maybe_paid=0.25)
        assert (await board.redis.hgetall(of_job("job", "budget")))["earlier"] == "0 750000000 0"
        assert (await read_status(board.redis, "job")).cost_usd == 0.5, "and in no figure"

    async def test_it_is_done_once(self, board):
        await self.lose(board)
        await board.claim("job", 2, LEASE)
        await opened(board, only_lost=True, state=State.HALTED, reason="no")
        assert (await read_status(board.redis, "job")).state is State.RUNNING

    @pytest.mark.parametrize("state", [State.HALTED, State.PAUSED])
    async def test_it_stands_as_it_stood(self, board, state):
        await self.lose(board, state=state, reason="why")
        status = await read_status(board.redis, "job")
        assert (status.state, status.state_reason) == (state, "why")
        assert await board.sweep() == []

    async def test_which_jobs_are_lost(self, board):
        await opened(board)
        assert await board.missing(["job", "gone"]) == ["gone"]
        assert await board.missing([]) == []

    async def test_a_job_that_ended_does_not_know_old_holders(self, board):
        await opened(board, shards=1)
        claim = await board.claim("job", 1, LEASE)
        await board.fold("job", 1, claim.token, done(50))
        last = await board.claim("job", FINISH, LEASE)
        await board.finish("job", last.token, State.FINISHED, 1)
        await opened(board, shards=1)
        assert (await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token)], {})).kept == [
            False
        ]


class TestDeaths:
    """A shard that kills whoever takes it is set aside; what only looks so is not."""

    async def die(self, redis, name: str, *, settled: int = 0, begun: bool = True) -> int:
        """A worker takes the shard and is not heard of again; for how many deaths it was set aside then."""
        worker = Board(redis, name)
        await worker.beat(LEASE, WorkerCard(threads=4), [], {})
        claim = await worker.claim("job", 1, 0.02)
        if begun:
            await worker.begin("job", 1, claim.token)
        await worker.beat(
            0.02, WorkerCard(threads=4), [ShardReport("job", 1, claim.token, done(settled))], {}
        )
        await asyncio.sleep(0.05)
        await worker.sweep()
        return claim.deaths

    async def next(self, board: Board) -> int:
        return (await board.claim("job", 1, LEASE)).deaths

    async def test_three_in_a_row(self, board):
        await opened(board)
        assert [await self.die(board.redis, name) for name in "abc"] == [0, 1, 2]
        assert await self.next(board) == 3

    async def test_a_worker_that_lives_has_not_died(self, board):
        await opened(board)
        for name in "abc":
            await self.die(board.redis, name)
        for name in "abc":
            await Board(board.redis, name).beat(LEASE, WorkerCard(threads=4), [], {})
        assert await self.next(board) == 0

    async def test_a_worker_that_was_told_to_end_has_not_died_of_it(self, board):
        await opened(board)
        for name in "ab":
            await self.die(board.redis, name)
        leaving = Board(board.redis, "c")
        claim = await leaving.claim("job", 1, 0.02)
        await leaving.begin("job", 1, claim.token)
        await leaving.beat(0.02, WorkerCard(threads=0), [ShardReport("job", 1, claim.token)], {})
        await asyncio.sleep(0.05)
        await leaving.sweep()
        assert await self.next(board) == 2

    async def test_a_shard_that_goes_on_is_no_suspect(self, board):
        await opened(board)
        for name, settled in (("a", 0), ("b", 0), ("c", 1)):
            await self.die(board.redis, name, settled=settled)
        assert await self.next(board) == 1

    async def test_a_shard_whose_progress_was_not_said_is_acquitted(self, board):
        await opened(board)
        for name in "ab":
            await self.die(board.redis, name, settled=7)
        assert not await board.acquit("job", 1, 7)
        assert await board.acquit("job", 1, 8)
        assert not await board.acquit("job", 1, 8), "that is known now"
        assert await self.die(board.redis, "c", settled=8) == 0
        assert await self.next(board) == 1
        assert not await board.acquit("job", 2, 8), "nobody has died of it"

    async def test_a_shard_that_had_not_begun_is_not_to_blame(self, board):
        """Shards wait for slots in the worker that holds them: it dies of another."""
        await opened(board)
        for name in "abc":
            await self.die(board.redis, name, begun=False)
        assert await self.next(board) == 0

    async def test_only_its_holder_begins_a_shard(self, board, other):
        await opened(board)
        stale = await board.claim("job", 1, LEASE)
        await board.release(ShardReport("job", 1, stale.token))
        held = await other.claim("job", 1, LEASE)
        await board.begin("job", 1, stale.token)
        assert await board.redis.hget(of_job("job", "begun"), "0000001") is None
        await other.begin("job", 1, held.token)
        assert await board.redis.hget(of_job("job", "begun"), "0000001") == held.token

    async def test_when_workers_die_all_around_it_is_not_the_shard(self, board, monkeypatch):
        monkeypatch.setattr(board_module, "PRESENCE", 0.05)
        await opened(board)
        await self.die(board.redis, "a")
        for name in "xyz":
            await Board(board.redis, name).beat(LEASE, WorkerCard(threads=4), [], {})
        for name in "bc":
            await self.die(board.redis, name)
        assert await self.next(board) == 0

    async def test_a_shard_that_was_settled_begins_anew(self, board):
        await opened(board, shards=1)
        for name in "abc":
            await self.die(board.redis, name)
        claim = await board.claim("job", 1, LEASE)
        await board.fold("job", 1, claim.token, Totals(outcomes={"failed": 50}))
        await opened(board, shards=1)
        assert await self.next(board) == 0


class TestLeft:
    """What a dead worker has left is taken at once, by all who live."""

    @pytest.fixture
    async def left(self, board, other) -> list[Board]:
        """Six shards of a job of fifty that are left, behind a full window of messages; two workers live."""
        await opened(board, shards=50)
        for living in (board, other):
            await alive(living)
        dead = Board(board.redis, "dead")
        for shard in range(1, 7):
            await dead.claim("job", shard, LEASE)
        assert len(await board.sweep()) == 2 * 4 * AHEAD
        leases = of_job("job", "leases")
        await board.redis.zadd(leases, dict.fromkeys(await board.redis.zrange(leases, 0, -1), 1))
        return [board, other]

    async def test_each_takes_its_part_without_a_message(self, left):
        first, second = [await living.sweep(room=19) for living in left]
        assert [(hint.shard, hint.orphan) for hint in first] == [(1, True), (2, True), (3, True)]
        assert [(hint.shard, hint.orphan) for hint in second] == [(4, True), (5, True)]
        claim = await left[0].claim("job", 1, LEASE)
        assert claim.orphaned
        assert not (await left[0].claim("job", 7, LEASE)).orphaned

    async def test_no_more_than_it_has_room_for(self, left):
        assert [hint.shard for hint in await left[0].sweep(room=1)] == [1]
        assert await left[0].sweep() == [], "the window is full"

    async def test_who_takes_none_publishes_them_before_others(self, left):
        await left[0].redis.delete(HINTED)
        hints = await left[0].sweep()
        assert [hint.shard for hint in hints] == [*range(1, 7), *range(7, 17)]
        assert {hint.shard for hint in hints if hint.urgent} == set(range(1, 7))
        assert not any(hint.orphan for hint in hints)

    async def test_it_is_as_others_when_it_was_given_back(self, left):
        await left[0].sweep()
        claim = await left[0].claim("job", 1, LEASE)
        await left[0].release(ShardReport("job", 1, claim.token))
        assert not (await left[0].claim("job", 1, LEASE)).orphaned


class TestSweep:
    async def test_a_window_for_each_thread(self, board, other):
        await opened(board, shards=100)
        await alive(board, 4)
        await alive(other, 3)
        hints = await board.sweep()
        assert [hint.shard for hint in hints] == list(range(1, AHEAD * 7 + 1))
        assert await other.sweep() == []

    async def test_without_workers_a_few_are_ready(self, board):
        await opened(board, shards=100)
        assert len(await board.sweep()) == FEWEST

    async def test_in_turn_over_all_jobs(self, board):
        await opened(board, "million", shards=100)
        await opened(board, "ten", shards=1)
        await opened(board, "few", shards=2)
        await alive(board, 4)
        hints = [(hint.job, hint.shard) for hint in await board.sweep()]
        assert sorted(hints[:3]) == [("few", 1), ("million", 1), ("ten", 1)]
        assert len(hints) == AHEAD * 4

    async def test_turns_go_on_from_sweep_to_sweep(self, board):
        for job in ("a", "b", "c"):
            await opened(board, job, shards=100)
        first = [hint.job for hint in await board.sweep()]
        for job in first[:2]:
            await board.claim(job, 1, LEASE)
        second = [hint.job for hint in await board.sweep()]
        assert first == ["a", "b", "c", "a"]
        assert second == ["b", "c"]

    async def test_a_new_job_goes_before_hints_of_one_that_runs(self, board):
        await opened(board, "old", shards=100)
        await alive(board, 2)
        await board.sweep()
        for shard in (1, 2):
            await board.claim("old", shard, LEASE)
        await opened(board, "new", shards=2)
        assert {(hint.job, hint.urgent) for hint in await board.sweep()} == {("old", False), ("new", True)}

    async def test_sweepers_never_publish_the_same(self, board, other):
        await opened(board, shards=100)
        await alive(board, 20)
        found = await asyncio.gather(*(sweeper.sweep() for sweeper in (board, other) for _ in range(5)))
        shards = [hint.shard for hints in found for hint in hints]
        assert sorted(shards) == list(range(1, AHEAD * 20 + 1))

    async def test_a_lost_message_is_published_again(self, board, redis_url, monkeypatch):
        monkeypatch.setattr(board_module, "UNDER_WAY", 0.0)
        await opened(board, shards=2)
        hints = await board.sweep()
        app = make_app(redis_url)
        publish(app, hints)
        app.close()
        await asyncio.sleep(0.01)
        assert await board.sweep() == [], "its message lies in the queue"
        await board.redis.delete(*QUEUE_LISTS)
        assert len(await board.sweep()) == 2

    async def test_a_young_hint_may_still_be_on_its_way(self, board):
        await opened(board, shards=2)
        assert len(await board.sweep()) == 2
        assert await board.sweep() == []

    @pytest.mark.parametrize("state", [State.HALTED, State.PAUSED])
    async def test_a_stopped_job_gets_no_messages(self, board, state):
        await opened(board)
        await board.stop("job", state, "why")
        assert await board.sweep() == []
        assert await board.claim("job", 1, LEASE) is None

    async def test_a_cancelled_job_is_taken_to_its_end(self, board):
        await opened(board)
        await board.stop("job", State.HALTED, "why")
        await board.want("job", Wanted(state=State.CANCELLED))
        assert len(await board.sweep()) == 3
        assert await board.claim("job", 1, LEASE) is not None

    async def test_a_paused_job_goes_on_when_it_is_wanted(self, board):
        await opened(board)
        await board.want("job", Wanted(state=State.PAUSED))
        assert (await read_status(board.redis, "job")).state is State.PAUSED
        assert await board.sweep() == []
        await board.want("job", Wanted())
        assert len(await board.sweep()) == 3


class TestSums:
    async def test_saying_it_again_changes_nothing(self, board):
        await opened(board)
        claim = await board.claim("job", 1, LEASE)
        for totals in (
            done(3, calls=4, cost_usd=0.1),
            done(3, calls=4, cost_usd=0.1),
            done(7, calls=9, cost_usd=0.3),
        ):
            await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token, totals)], {})
        status = await read_status(board.redis, "job")
        assert (status.outcomes["done"], status.calls, status.cost_usd) == (7, 9, 0.3)
        await board.fold("job", 1, claim.token, done(50, calls=52, cost_usd=2.0))
        await board.fold("job", 1, claim.token, done(50, calls=52, cost_usd=2.0))
        status = await read_status(board.redis, "job")
        assert (status.outcomes["done"], status.calls, status.cost_usd) == (50, 52, 2.0)

    async def test_whoever_takes_over_replaces_what_was_said(self, board, other):
        await opened(board)
        claim = await board.claim("job", 1, 0.02)
        sums = Totals(outcomes={"done": 9}, verdicts={"image": 9, "timeout": 2})
        await board.beat(0.02, WorkerCard(), [ShardReport("job", 1, claim.token, sums)], {})
        await asyncio.sleep(0.05)
        await other.sweep()
        claim = await other.claim("job", 1, LEASE)
        found = Totals(outcomes={"done": 8}, verdicts={"image": 8})
        await other.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token, found)], {})
        status = await read_status(board.redis, "job")
        assert (status.outcomes["done"], status.verdicts) == (8, {"image": 8})

    async def test_shards_add_up(self, board):
        await opened(board, shards=4)
        for shard in range(1, 5):
            await folded(board, shard, done(shard, calls=10 * shard, calls_unknown=1, cost_usd=0.000000123))
        status = await read_status(board.redis, "job")
        assert status.outcomes["done"] == 10
        assert (status.calls, status.calls_unknown) == (100, 4)
        head = await board.redis.hgetall(of_job("job", "head"))
        assert head["cost"] == "492"


class TestEnds:
    async def test_after_the_last_shard_comes_one_last_step(self, board, other):
        await opened(board, shards=2)
        assert not await folded(board, 2, done(50))
        assert await board.claim("job", FINISH, LEASE) is None
        assert await folded(other, 1, done(50))
        assert [hint.shard for hint in await other.sweep()] == [FINISH]
        claim = await board.claim("job", FINISH, LEASE)
        assert await other.claim("job", FINISH, LEASE) is None
        await board.finish("job", claim.token, State.FINISHED, 1_000)
        status = await read_status(board.redis, "job")
        assert (status.state, status.finished_at) == (State.FINISHED, "1970-01-01T00:00:01.000Z")
        assert await board.sweep() == []

    async def test_the_last_step_of_a_dead_worker_is_repeated(self, board, other):
        await opened(board, shards=1)
        await folded(board, 1, done(50))
        stale = await board.claim("job", FINISH, 0.02)
        await asyncio.sleep(0.05)
        await other.sweep()
        claim = await other.claim("job", FINISH, LEASE)
        await board.finish("job", stale.token, State.CANCELLED, 1)
        assert (await read_status(board.redis, "job")).state is State.RUNNING
        await other.finish("job", claim.token, State.FINISHED, 1)
        assert (await read_status(board.redis, "job")).state is State.FINISHED

    async def test_a_job_that_stops_when_all_is_settled_still_ends(self, board):
        await opened(board, shards=1)
        await folded(board, 1, done(50))
        await board.stop("job", State.PAUSED, "budget")
        assert await board.claim("job", FINISH, LEASE) is not None

    async def test_a_job_that_stands_still_takes_it_too_once_nobody_works_on_it(self, board, other):
        await opened(board)
        mine, others = await board.claim("job", 1, LEASE), await other.claim("job", 2, LEASE)
        await board.stop("job", State.HALTED, "the key is refused")
        await board.release(ShardReport("job", 1, mine.token))
        assert await other.sweep() == []
        await other.release(ShardReport("job", 2, others.token))
        assert [hint.shard for hint in await other.sweep()] == [FINISH]
        step = await board.claim("job", FINISH, LEASE)
        assert not await board.finish("job", step.token, State.FINISHED, 1)
        assert (await read_status(board.redis, "job")).state is State.HALTED
        assert await other.sweep() == [], "once"

    async def test_a_job_whose_worker_died_while_it_was_halted_takes_it_too(self, board, other):
        await alive(other)
        await opened(board)
        await board.claim("job", 1, 0.02)
        await board.stop("job", State.HALTED, "the key is refused")
        await asyncio.sleep(0.05)
        assert [hint.shard for hint in await other.sweep(room=1)] == [FINISH]

    async def test_what_is_settled_while_results_are_written_belongs_into_them(self, board, other):
        await opened(board, shards=1)
        claim = await board.claim("job", 1, LEASE)
        await board.stop("job", State.PAUSED, "budget")
        await board.release(ShardReport("job", 1, claim.token))
        early = await board.claim("job", FINISH, LEASE)
        await board.want("job", Wanted())
        assert await folded(other, 1, done(50))
        assert await other.claim("job", FINISH, LEASE) is None, (
            "of two writers the slower one would have the last word"
        )
        assert not await board.finish("job", early.token, State.FINISHED, 1)
        late = await other.claim("job", FINISH, LEASE)
        assert await other.finish("job", late.token, State.FINISHED, 2)

    async def test_a_job_without_rows_ends_at_once(self, board):
        await opened(board, shards=0)
        assert [hint.shard for hint in await board.sweep()] == [FINISH]

    async def test_the_first_reason_holds(self, board, other):
        await opened(board)
        assert await board.stop("job", State.HALTED, "the key is refused")
        assert not await other.stop("job", State.PAUSED, "budget")
        status = await read_status(board.redis, "job")
        assert (status.state, status.state_reason) == (State.HALTED, "the key is refused")

    async def test_every_worker_hears_what_is_wanted(self, board, other):
        await opened(board)
        await board.want("job", Wanted(state=State.CANCELLED, rpm=7.0))
        news = (await other.beat(LEASE, WorkerCard(), [], {"job": "", "never": ""})).news
        assert news["job"].wanted == Wanted(state=State.CANCELLED, rpm=7.0)
        assert news["never"].state is None

    async def test_one_writes_the_report(self, board, other):
        assert [await worker.reporter("job", 0.1) for worker in (board, other, board)] == [True, False, False]
        await asyncio.sleep(0.15)
        assert await other.reporter("job", 0.1)


class TestControl:
    async def test_a_repeated_word_wakes_no_job_that_a_row_has_stopped(self, board):
        await opened(board)
        await board.stop("job", State.HALTED, "the key is refused")
        await board.want("job", Wanted(budget=3.0), repeated=True)
        assert (await read_status(board.redis, "job")).state is State.HALTED
        await board.want("job", Wanted())
        assert (await read_status(board.redis, "job")).state is State.QUEUED

    async def test_a_repeated_word_ends_a_pause(self, board):
        await opened(board, wanted=Wanted(state=State.PAUSED), state=State.PAUSED)
        await board.want("job", Wanted(), repeated=True)
        assert (await read_status(board.redis, "job")).state is State.QUEUED

    async def test_a_job_is_withdrawn_when_nobody_works_on_it(self, board, other):
        await opened(board)
        await alive(other)
        assert not await board.withdraw("job"), "a worker lives"
        await other.leave()
        await other.claim("job", 1, 0.05)
        assert not await board.withdraw("job"), "a lease is held"
        await asyncio.sleep(0.1)
        assert await board.withdraw("job")
        assert await read_status(board.redis, "job") is None
        assert await board.withdraw("job")
        assert await board.sweep() == []

    async def test_shards_that_are_opened_while_it_is_ended(self, board, other):
        await opened(board, shards=1)
        await folded(board, 1, Totals(outcomes={"failed": 50}))
        last = await board.claim("job", FINISH, LEASE)
        await opened(other, shards=1)
        await board.finish("job", last.token, State.FINISHED, 1)
        assert (await read_status(board.redis, "job")).state is State.RUNNING
        assert await folded(other, 1, done(50))
        assert await board.claim("job", FINISH, LEASE)

    async def test_messages_that_nobody_takes(self, board, redis_url):
        await opened(board, shards=2)
        app = make_app(redis_url)
        publish(app, await board.sweep())
        app.close()
        assert await board.overdue(10) == 0
        await asyncio.sleep(0.05)
        assert await board.overdue(0.02) == 2
        await board.redis.delete(*QUEUE_LISTS)
        assert await board.overdue(0.02) == 0

    async def test_an_edit_is_made_by_one_of_the_living(self, board, other):
        await alive(board)
        assert await board.edit("print", 60)
        assert not await board.edit("print", 60)
        assert not await other.edit("print", 60)
        await board.leave()
        assert await other.edit("print", 60), "nobody waits for the dead"


class TestOpen:
    async def test_what_is_folded_is_not_done_again(self, board):
        await opened(board, shards=4, folded={1: done(50, calls=50, cost_usd=2.0), 3: done(49)})
        assert [hint.shard for hint in await board.sweep()] == [2, 4]
        status = await read_status(board.redis, "job")
        assert (status.outcomes["done"], status.outcomes["pending"], status.cost_usd) == (99, 101, 2.0)

    async def test_submitting_again_lets_a_halted_job_go_on(self, board):
        await opened(board)
        await folded(board, 1, done(50))
        claim = await board.claim("job", 2, LEASE)
        await board.stop("job", State.HALTED, "the key is refused")
        await opened(board, folded={1: done(50)})
        status = await read_status(board.redis, "job")
        assert (status.state, status.outcomes["done"]) == (State.QUEUED, 50)
        assert [hint.shard for hint in await board.sweep()] == [3], "a lease that is held stays"
        assert not await board.fold("job", 2, claim.token, done(50))

    async def test_a_larger_limit_adds_shards(self, board):
        await opened(board, shards=1)
        assert await folded(board, 1, done(50))
        await opened(board, shards=2, folded={1: done(50)})
        assert [hint.shard for hint in await board.sweep()] == [2]
        assert await folded(board, 2, done(50))

    async def test_a_new_round_of_a_shard_is_settled_again(self, board):
        await opened(board, shards=2)
        await folded(board, 1, Totals(outcomes={"failed": 50}, calls=50))
        await folded(board, 2, done(50, calls=50))
        await opened(board, shards=2, folded={2: done(50, calls=50)})
        assert [hint.shard for hint in await board.sweep()] == [1]
        assert await folded(board, 1, done(50, calls=100))
        status = await read_status(board.redis, "job")
        assert (status.outcomes["done"], status.outcomes["failed"], status.calls) == (100, 0, 150)

    async def test_a_job_that_ended_begins_anew_from_its_folds(self, board):
        await opened(board, shards=1)
        await folded(board, 1, done(50))
        claim = await board.claim("job", FINISH, LEASE)
        await board.finish("job", claim.token, State.FINISHED, 1)
        await opened(board, shards=1, folded={1: done(50)})
        status = await read_status(board.redis, "job")
        assert (status.state, status.outcomes["done"], status.finished_at) == (State.QUEUED, 50, None)
        assert [hint.shard for hint in await board.sweep()] == [FINISH]


class TestStatus:
    async def test_three_commands_whatever_the_size(self, board):
        await opened(board, shards=20_000)
        for shard in range(1, 30):
            await folded(board, shard, done(50))
        await alive(board)
        await board.redis.config_resetstat()
        status = await read_status(board.redis, "job")
        stats = await board.redis.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items()}
        calls = {
            name: count for name, count in calls.items() if not name.startswith(("config", "client", "hello"))
        }
        assert sum(calls.values()) <= 3, calls
        assert (status.rows, status.outcomes["done"]) == (1_000_000, 29 * 50)

    async def test_nobody_is_there(self, board):
        await opened(board)
        status = await read_status(board.redis, "job")
        assert (status.state, status.state_reason) == (State.QUEUED, NO_WORKER)

    async def test_somebody_is_there_until_it_is_not(self, board, monkeypatch):
        monkeypatch.setattr(board_module, "PRESENCE", 0.1)
        await opened(board)
        await alive(board)
        assert await workers_alive(board.redis) == 1
        assert (await read_status(board.redis, "job")).state_reason is None
        await asyncio.sleep(0.15)
        assert await workers_alive(board.redis) == 0
        assert (await read_status(board.redis, "job")).state_reason == NO_WORKER

    async def test_a_worker_that_leaves_is_gone_at_once(self, board):
        await alive(board)
        await board.leave()
        assert await workers_alive(board.redis) == 0

    async def test_figures_of_all_workers(self, board, other):
        await opened(board)
        await board.claim("job", 1, LEASE)
        await board.beat(LEASE, WorkerCard(4, 64, {"job": (5, 60.0, None), "else": (9, 1.0, None)}), [], {})
        await other.beat(LEASE, WorkerCard(4, 64, {"job": (7, 30.0, None)}), [], {})
        status = await read_status(board.redis, "job")
        assert (status.state, status.in_flight, status.images_per_minute) == (State.RUNNING, 12, 90.0)

    async def test_what_a_worker_waits_for(self, board):
        await opened(board)
        await board.claim("job", 1, LEASE)
        await board.beat(LEASE, WorkerCard(4, 64, {"job": (0, 0.0, "the disk is full")}), [], {})
        status = await read_status(board.redis, "job")
        assert (status.state, status.state_reason) == (State.WAITING, "the disk is full")

    async def test_a_job_that_nobody_can_go_on_with_waits(self, board, other):
        await opened(board)
        await alive(board)
        one, two = await board.claim("job", 1, LEASE), await other.claim("job", 2, LEASE)
        await board.release(ShardReport("job", 1, one.token), 30, "cannot see /pictures")
        assert (await read_status(board.redis, "job")).state is State.RUNNING, "another works on it"
        await other.release(ShardReport("job", 2, two.token), 30, "cannot see /pictures")
        status = await read_status(board.redis, "job")
        assert (status.state, status.state_reason) == (State.WAITING, "cannot see /pictures")
        await other.claim("job", 3, LEASE)
        assert (await read_status(board.redis, "job")).state is State.RUNNING

    async def test_a_job_that_redis_does_not_know(self, board):
        assert await read_status(board.redis, "never") is None

    async def test_what_is_wanted_comes_along(self, board):
        await opened(board, shards=7)
        seen = await look(board.redis, "job")
        assert (seen.wanted, seen.shards, seen.workers) == (Wanted(), 7, 0)


async def test_every_key_has_an_end_and_a_name(board, other):
    await opened(board)
    await alive(board)
    await board.sweep()
    claim = await board.claim("job", 1, LEASE)
    await board.beat(LEASE, WorkerCard(), [ShardReport("job", 1, claim.token, done(3))], {"job": "1 2 1"})
    await board.turn("job", "m", 60.0)
    await board.hold("job", "n", 5.0)
    await board.reserve("job", "0 0 2", 1, 10)
    await board.reporter("job", 10)
    claim = await other.claim("job", 2, LEASE)
    await other.release(ShardReport("job", 2, claim.token), 1)
    keys = [key async for key in board.redis.scan_iter()]
    known = {
        of_job("job", part)
        for part in ("head", "todo", "leases", "owners", "latest", "shards", "pace", "budget", "report")
    }
    assert set(keys) == known | {
        PREFIX + name for name in ("active", "hinted", "workers", "turn", "swept", "told")
    }
    for key in keys:
        assert await board.redis.pttl(key) > 0, key


class TestReach:
    def test_no_redis_is_one_sentence_without_the_password(self):
        with pytest.raises(BrokerError, match="RETOUCH_REDIS_URL") as caught:
            check("redis://user:secret@127.0.0.1:1/0")
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:1"])
    def test_a_url_that_is_none(self, url):
        with pytest.raises(BrokerError):
            check(url)

    async def test_a_redis_that_went_away(self):
        client = connect("redis://127.0.0.1:1/0")
        with pytest.raises(BrokerError, match=r"127\.0\.0\.1:1"):
            await Board(client).sweep()
        await client.aclose()


async def test_turns_that_nobody_waits_for_any_more_hold_back_no_job_that_goes_on(board):
    await opened(board)
    for _ in range(3):
        await board.turn("job", "m", 1.0)
    await board.want("job", Wanted(state=State.PAUSED))
    await board.want("job", Wanted())

    assert await board.turn("job", "m", 1.0) == 0
    assert await board.turn("job", "m", 1.0) > 50
