"""What workers tell the board, and what it answers; pure."""

from __future__ import annotations

import msgspec

from pipeline.ports import Wanted
from pipeline.status import State, Totals


class ShardClaim(msgspec.Struct, frozen=True):
    """A shard that is ours for the time of a lease.

    Attributes:
        token: grows with each claim.
        out: the job's folder.
        want: what people want of the job, as Redis has heard it.
        born: names this making of the job's keys; another says that Redis has lost or ended the job meanwhile.
        deaths: so many workers seem to have died of the shard.
        orphaned: a dead worker has left it.
    """

    token: str
    out: str
    want: State
    born: str
    deaths: int
    orphaned: bool


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is put on the board.

    Attributes:
        state: how it stands there, for *reason*.
        only_lost: do nothing to a job that is there.
        spare: seconds for which those who held a shard may come back to it, when the server has lost the job.
        maybe_paid: dollars that earlier calls may have cost beyond what is known; the budget takes them for spent.
    """

    out: str
    rows: int
    shards: int
    wanted: Wanted
    state: State = State.QUEUED
    reason: str = ""
    only_lost: bool = False
    spare: float = 0.0
    maybe_paid: float = 0.0


class Hint(msgspec.Struct, frozen=True):
    """A shard whose message is to be published; an *urgent* one goes before the others.

    An *orphan* gets none: a dead worker has left it, and whoever has swept takes it itself.
    """

    job: str
    shard: int
    urgent: bool
    orphan: bool = False


class ShardReport(msgspec.Struct, frozen=True):
    """What is said of a shard that is ours; *totals*: how far it has come, ``None``: as it was said last."""

    job: str
    shard: int
    token: str
    totals: Totals | None = None


class WorkerCard(msgspec.Struct, frozen=True):
    """What a worker says of itself; *jobs*: calls in flight, pictures a minute, what it waits for."""

    threads: int = 0
    slots: int = 0
    jobs: dict[str, tuple[int, float, str | None]] = {}


class JobNews(msgspec.Struct, frozen=True):
    """Where a job stands (``None``: Redis does not know it), what is wanted of it; *born* as in :class:`ShardClaim`.

    *hold*: seconds for which the API wants to be left alone.
    """

    state: State | None
    reason: str | None
    wanted: Wanted
    hold: float = 0.0
    born: str = ""


class HeartbeatReply(msgspec.Struct, frozen=True):
    """The answer to a heartbeat.

    Attributes:
        kept: for each lease whether it is ours; ``None``: nobody can tell, since the job is not known.
        known: Redis knew this worker before; if not, it is new, or Redis has lost what it knew.
    """

    kept: list[bool | None]
    news: dict[str, JobNews]
    known: bool
