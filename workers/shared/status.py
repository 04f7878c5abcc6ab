"""The status of a submitted job, in three Redis commands whatever its size."""

from __future__ import annotations

import msgspec
from redis.asyncio import Redis

from pipeline.ports import Wanted
from pipeline.status import ENDED, State, Status, counted
from pipeline.timestamp import utc
from workers.shared.board_types import WorkerCard
from workers.shared.connection import reaching
from workers.shared.keys import WORKERS, of_job
from workers.shared.sums import totals_in

NO_WORKER = "no worker is consuming: start `retouch worker`"

_LIVE = (State.QUEUED, State.RUNNING, State.WAITING)

_card = msgspec.json.Decoder(WorkerCard)
_wanted = msgspec.json.Decoder(Wanted)


class BoardView(msgspec.Struct, frozen=True):
    """A job as the board shows it.

    Attributes:
        folded: how many of its *shards* are settled.
        workers: those that are alive; until when each one's last heartbeat says so, in milliseconds.
        now: the server's time, in milliseconds.
    """

    status: Status
    wanted: Wanted
    shards: int
    folded: int
    workers: dict[str, int]
    now: int


async def read_status(redis: Redis, job: str) -> Status | None:
    """The status object of *job*; ``None`` when Redis does not know it.

    Raises:
        BrokerError: Redis is out of reach.
    """
    seen = await read_board_view(redis, job)
    return seen.status if seen else None


async def read_board_view(redis: Redis, job: str) -> BoardView | None:
    """:func:`read_status`, with what else the same three commands return."""
    with reaching(redis):
        pipe = redis.pipeline(transaction=False)
        pipe.hgetall(of_job(job, "head"))
        pipe.hgetall(WORKERS)
        pipe.time()
        head, cards, (seconds, micros) = await pipe.execute()
    if "state" not in head:
        return None
    now = int(seconds) * 1000 + int(micros) // 1000
    living = _living(cards, now)
    wanted = _wanted.decode(head["wanted"])
    return BoardView(
        status=_status(job, head, [card for _, card in living.values()], wanted.budget),
        wanted=wanted,
        shards=int(head["shards"]),
        folded=int(head["folded"]),
        workers={name: until for name, (until, _) in living.items()},
        now=now,
    )


async def workers_alive(redis: Redis) -> int:
    """How many workers are alive.

    Raises:
        BrokerError: Redis is out of reach.
    """
    return len(await living_workers(redis))


async def living_workers(redis: Redis) -> list[WorkerCard]:
    """The cards of the workers that are alive.

    Raises:
        BrokerError: Redis is out of reach.
    """
    with reaching(redis):
        pipe = redis.pipeline(transaction=False)
        pipe.hgetall(WORKERS)
        pipe.time()
        cards, (seconds, micros) = await pipe.execute()
    return [card for _, card in _living(cards, int(seconds) * 1000 + int(micros) // 1000).values()]


def _living(cards: dict[str, str], now: int) -> dict[str, tuple[int, WorkerCard]]:
    """The card of each worker that is alive, and until when its last heartbeat says that it is."""
    parted = [(name, text.partition(" ")) for name, text in cards.items()]
    return {name: (int(until), _card.decode(card)) for name, (until, _, card) in parted if int(until) > now}


def _status(job: str, head: dict[str, str], living: list[WorkerCard], budget: float | None) -> Status:
    # The cards are up to a second old: an end is newer than all of them.
    here = [card.jobs[job] for card in living if job in card.jobs and head["state"] not in ENDED]
    state, reason = _state(head, bool(living), [waits for *_, waits in here if waits])
    status = Status(
        job=job,
        out=head["out"],
        state=state,
        state_reason=reason,
        rows=int(head["rows"]),
        in_flight=sum(in_flight for in_flight, *_ in here),
        uploading=sum(card.uploading.get(job, 0) for card in living) if here else 0,
        # What is adjustable of a job that was handed over stands in what is wanted of it.
        budget_usd=budget,
        images_per_minute=sum(minute for _, minute, _ in here) if here else None,
        submitted_at=_time(head, "submitted_at"),
        started_at=_time(head, "started_at"),
        finished_at=_time(head, "finished_at"),
    )
    return counted(status, totals_in(head))


def _state(head: dict[str, str], manned: bool, waits: list[str]) -> tuple[State, str | None]:
    state = State(head["state"])
    if state in _LIVE and not manned:
        return state, NO_WORKER
    if state is State.RUNNING and waits:
        return State.WAITING, waits[0]
    return state, head.get("state_reason") or None


def _time(head: dict[str, str], name: str) -> str | None:
    return utc(int(head[name]) / 1000) if name in head else None
