"""What workers send to the board, and what it answers; pure."""

from __future__ import annotations

import msgspec

from pipeline.ports import Wanted
from pipeline.status import State, Totals


class ShardClaim(msgspec.Struct, frozen=True):
    """A shard that is claimed for the length of a lease.

    Attributes:
        token: grows with each claim.
        out: the job's folder.
        want: the state that people want the job to have, as Redis knows it.
        born: identifies this creation of the job's keys; another value means that Redis had lost or ended the job.
        deaths: how many workers the shard seems to have killed.
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
        state: its state there, for *reason*.
        only_lost: change nothing if the job is there already.
        spare: seconds for which earlier holders of a shard may reclaim it, if the server had lost the job.
        maybe_paid: dollars that earlier calls may have cost beyond what is known; the budget counts them as spent.
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

    For an *orphan*, which a dead worker has left, none is published: the worker that swept takes it at once.
    """

    job: str
    shard: int
    urgent: bool
    orphan: bool = False


class ShardReport(msgspec.Struct, frozen=True):
    """The progress of a shard that is ours; *totals* is ``None`` if they are as last reported."""

    job: str
    shard: int
    token: str
    totals: Totals | None = None


class WorkerCard(msgspec.Struct, frozen=True):
    """A worker as others see it.

    Attributes:
        jobs: calls in flight, pictures a minute, and what the job waits for.
        uploading: rows whose pictures are being uploaded, by job; a job without any is left out.
    """

    threads: int = 0
    slots: int = 0
    jobs: dict[str, tuple[int, float, str | None]] = {}
    uploading: dict[str, int] = {}


class JobNews(msgspec.Struct, frozen=True):
    """The state of a job (``None``: Redis does not know it), what is wanted of it, *born* as in :class:`ShardClaim`.

    *hold*: seconds left of a pause that the API asked for.
    """

    state: State | None
    reason: str | None
    wanted: Wanted
    hold: float = 0.0
    born: str = ""


class HeartbeatReply(msgspec.Struct, frozen=True):
    """The answer to a heartbeat.

    Attributes:
        kept: for each lease whether it is still ours; ``None``: unknown, since Redis does not know the job.
        known: whether Redis knew this worker; if not, the worker is new, or Redis has lost its data.
    """

    kept: list[bool | None]
    news: dict[str, JobNews]
    known: bool
