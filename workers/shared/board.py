"""The board, on which workers agree who does what. A method is one round trip and one script; each can be repeated.

All raise :class:`pipeline.errors.BrokerError` when Redis is out of reach.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from pipeline.ports import Wanted
from pipeline.status import State, Totals
from workers.shared.board_types import (
    HeartbeatReply,
    Hint,
    JobNews,
    Placement,
    ShardClaim,
    ShardReport,
    WorkerCard,
)
from workers.shared.connection import reaching
from workers.shared.keys import MONTH, NAME, of_job, shard_name
from workers.shared.scripts import Scripts
from workers.shared.sums import billionths, sums_of

#: Seconds without a heartbeat after which a worker counts as gone; people hear of it within ten.
PRESENCE = 6.0
#: Messages published ahead for each worker thread, and at least.
AHEAD, FEWEST = 2, 4
#: Seconds that a message may be under way between its publishing and its place in the queue.
UNDER_WAY = 5.0

#: What the heartbeat says of a lease of a job that is not on the board.
_NOBODY_KNOWS = 2
#: In todo, the score of a shard that a dead worker has left (common.lua).
_LEFT = -1
#: The urgency of a shard that the sweeping worker takes itself.
_ORPHAN = 2

_wanted = msgspec.json.Decoder(Wanted)


def worker_name() -> str:
    """A name for this process that no other has, before or after it."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class Board:
    """What all workers share of all jobs."""

    def __init__(self, redis: Redis, worker: str = "") -> None:
        self.redis = redis
        self.worker = worker
        self._scripts = Scripts(redis)
        self._names = [secrets.token_hex(8)]

    async def open(
        self, job: str, place: Placement, folded: Mapping[int, Totals], begun: Mapping[int, Totals]
    ) -> bool:
        """Put a job on the board, or resume the one that is there; whether it was not there before.

        Args:
            job: its id.
            place: how.
            folded: the totals of the shards that are settled; one that was and is not any more is settled again.
            begun: the totals of those that are open, and not as they were planned.
        """
        wanted = msgspec.json.encode(place.wanted).decode()
        said = msgspec.structs.asdict(place) | {
            "wanted": wanted,
            "want": place.wanted.state,
            "spare": _milliseconds(place.spare),
            "maybe_paid": billionths(place.maybe_paid),
        }
        sums = [
            text
            for flag, shards in (("1", folded), ("0", begun))
            for shard, totals in shards.items()
            for text in (shard_name(shard), sums_of(totals), flag)
        ]
        return bool(await self._run("open", job, msgspec.json.encode(said).decode(), *sums))

    async def missing(self, jobs: Sequence[str]) -> list[str]:
        """Those of *jobs* that are not on the board."""
        with reaching(self.redis):
            pipe = self.redis.pipeline(transaction=False)
            for job in jobs:
                pipe.exists(of_job(job, "head"))
            return [job for job, there in zip(jobs, await pipe.execute(), strict=True) if not there]

    async def names(self) -> list[str]:
        """The names under which this process has known its Redis; the current one is the last."""
        with reaching(self.redis):
            # One that has lost everything gets its name back from those who knew it.
            await self.redis.set(NAME, self._names[-1], nx=True, px=MONTH)
            name = str(await self.redis.get(NAME) or self._names[-1])
        if name != self._names[-1]:
            self._names = [known for known in self._names if known != name] + [name]
        return self._names

    async def withdraw(self, job: str) -> bool:
        """Take a job off the board; false if somebody works on it, or may come back to it."""
        return bool(await self._run("withdraw", job))

    async def claim(self, job: str, shard: int, lease: float) -> ShardClaim | None:
        """Take the lease of *shard* for *lease* seconds; ``None`` if it is not available."""
        answer = await self._run("claim", job, shard_name(shard), self.worker, _milliseconds(lease))
        if not answer:
            return None
        token, out, want, born, deaths, orphaned = answer
        return ShardClaim(token, out, State(want), born, int(deaths), bool(orphaned))

    async def is_orphan(self, job: str, shard: int) -> bool:
        """Whether a dead worker has left *shard*, and nobody has taken it since."""
        with reaching(self.redis):
            return await self.redis.zscore(of_job(job, "todo"), shard_name(shard)) == _LEFT

    async def begin(self, job: str, shard: int, token: str) -> None:
        """Report that calls for rows of *shard*, which is ours, are about to start."""
        await self._run("begin", job, shard_name(shard), token)

    async def acquit(self, job: str, shard: int, settled: int) -> bool:
        """Report how many rows of *shard* are settled; whether more than at its last death, which is then void."""
        return bool(await self._run("acquit", job, shard_name(shard), settled))

    async def release(self, report: ShardReport, delay: float = 0.0, reason: str | None = None) -> None:
        """Give a shard back, to be taken after *delay*; the job waits for *reason* if nobody works on it."""
        job, shard, token, sums = _entry(report)
        await self._run("release", job, shard, token, _milliseconds(delay), reason or "", sums)

    async def decline(self, job: str, shard: int, delay: float) -> None:
        """Leave *shard* to others after receiving its message; it gets a new one after *delay*."""
        await self._run("decline", job, shard_name(shard), _milliseconds(delay))

    async def fold(self, job: str, shard: int, token: str, totals: Totals) -> bool:
        """Report that *shard* is folded; whether it was the job's last."""
        return int(await self._run("fold", job, shard_name(shard), token, sums_of(totals))) == 2

    async def finish(self, job: str, token: str, state: State, at: int) -> bool:
        """Report that the results are written; whether the job has ended. *at*: the server's time in milliseconds."""
        return bool(await self._run("finish", job, token, state, at))

    async def stop(self, job: str, state: State, reason: str | None) -> bool:
        """Halt or pause the job; false when it was stopped already."""
        return bool(await self._run("stop", job, state, reason or ""))

    async def want(self, job: str, wanted: Wanted, reason: str = "", *, repeated: bool = False) -> bool:
        """Announce what ``control.json`` says already; false when the job is not on the board.

        *repeated*: by a worker, because the first word seems to be lost.
        """
        said = msgspec.json.encode(wanted).decode()
        return bool(await self._run("want", job, wanted.state, said, reason, int(repeated)))

    async def beat(
        self, lease: float, card: WorkerCard, leases: Sequence[ShardReport], jobs: Mapping[str, str]
    ) -> HeartbeatReply:
        """Report that this worker is alive and holds *leases*; which of them are still ours, and news of *jobs*.

        Args:
            lease: seconds for which each is renewed.
            card: what is shown of this worker.
            leases: all that this process holds.
            jobs: those with shards here, each with this worker's money as Redis keeps it (empty: as it was).
        """
        said = {
            "worker": self.worker,
            "ttl": _milliseconds(PRESENCE),
            "card": msgspec.json.encode(card).decode(),
            "lease": _milliseconds(lease),
            "leases": [_entry(report) for report in leases],
            "jobs": list(jobs.items()),
        }
        kept, news, known = await self._run("beat", msgspec.json.encode(said).decode())
        return HeartbeatReply(
            kept=[None if flag == _NOBODY_KNOWS else flag == 1 for flag in kept],
            news=dict(zip(jobs, map(_news, news), strict=True)),
            known=bool(known),
        )

    async def leave(self) -> None:
        """Report that this worker is gone."""
        card = msgspec.json.encode(WorkerCard()).decode()
        said = {"worker": self.worker, "ttl": 0, "card": card, "lease": 0, "leases": [], "jobs": []}
        await self._run("beat", msgspec.json.encode(said).decode())

    async def sweep(self, room: int = 0) -> list[Hint]:
        """The shards whose messages are to be published now, only by this process.

        *room*: how many of those that dead workers have left can be taken here, without a message.
        """
        found = await self._run("sweep", AHEAD, FEWEST, _milliseconds(UNDER_WAY), room)
        return [Hint(job, int(shard), urgency == 1, urgency == _ORPHAN) for job, shard, urgency in found]

    async def overdue(self, seconds: float) -> int:
        """How many messages have waited in the queue for *seconds*."""
        return int(await self._run("overdue", _milliseconds(seconds)))

    async def edit(self, fingerprint: str, lives: float) -> bool:
        """Claim an edit for *lives* seconds; false if a living worker is making it."""
        return bool(await self._run("edit", fingerprint, self.worker, _milliseconds(lives)))

    async def edited(self, fingerprint: str) -> None:
        """Release the claim of an edit, unless it has expired and is another worker's by now."""
        await self._run("edited", fingerprint, self.worker)

    async def reporter(self, job: str, seconds: float) -> bool:
        """Whether this worker is the one that writes the job's ``report.json`` for the next *seconds*."""
        with reaching(self.redis):
            key = of_job(job, "report")
            return bool(await self.redis.set(key, self.worker, nx=True, px=_milliseconds(seconds)))

    async def turn(self, job: str, model: str, rpm: float | None) -> float:
        """Book the start of a call; seconds until then."""
        return int(await self._run("turn", job, model, "" if rpm is None else rpm)) / 1000

    async def hold(self, job: str, model: str, seconds: float) -> None:
        """Let nobody call *model* for *seconds*."""
        await self._run("hold", job, model, _milliseconds(seconds))

    async def held(self, job: str) -> float:
        """Seconds for which the job's longest hold lasts."""
        return int(await self._run("held", job)) / 1000

    async def reserve(self, job: str, sums: str, price: int, limit: int) -> str:
        """Reserve *price* in addition to this worker's *sums*: ``yes``, ``later``, ``no``, or ``again``."""
        return str(await self._run("reserve", job, self.worker, sums, price, limit))

    async def _run(self, name: str, *arguments: str | int | float) -> Any:
        with reaching(self.redis):
            return await self._scripts.run(name, *arguments)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _entry(report: ShardReport) -> tuple[str, str, str, str]:
    sums = "" if report.totals is None else sums_of(report.totals)
    return report.job, shard_name(report.shard), report.token, sums


def _news(said: Sequence[str]) -> JobNews:
    state, reason, wanted, hold, born = said
    return JobNews(
        State(state) if state else None,
        reason or None,
        _wanted.decode(wanted or "{}"),
        int(hold) / 1000,
        born,
    )
