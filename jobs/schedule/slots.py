"""The slots of a schedule, with their claims and outcomes, as they are stored in JSON; pure.

Moments are seconds since the epoch in UTC. A *slot* is the name of a moment at which a schedule is due, or was run by
hand; slots sort by time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import msgspec


class SlotClaim(msgspec.Struct, frozen=True, kw_only=True):
    """The claim on a slot, and the job that it becomes. It is create-only, so that no slot runs twice.

    Attributes:
        moment: when it was due, or asked for.
        by_hand: whether a person asked for it.
        missed: how many slots before it were missed without a scheduler; this run stands for them, too.
    """

    slot: str
    job: str
    moment: float
    claimed_at: float
    by_hand: bool = False
    missed: int = 0


class Ended(StrEnum):
    """What became of a slot."""

    STARTED = "started"
    NOTHING_NEW = "nothing-new"
    SKIPPED = "skipped"
    MISSED = "missed"
    REFUSED = "refused"


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """What an incremental run found in its folder.

    Attributes:
        again: neither new nor changed, but not settled by an earlier run.
        unchanged: settled by an earlier run, and skipped.
        left: beyond ``--limit``, for a later run.
    """

    new: int = 0
    changed: int = 0
    again: int = 0
    unchanged: int = 0
    left: int = 0

    @property
    def chosen(self) -> int:
        """How many pictures the run edits."""
        return self.new + self.changed + self.again

    def in_words(self) -> str:
        """``12 new, 1 changed; skipped: 9,988 unchanged``."""
        counts = (
            (self.new, "new"),
            (self.changed, "changed"),
            (self.again, "left by an earlier run"),
            (self.left, "left for the next"),
        )
        found = ", ".join(f"{count:,} {word}" for count, word in counts if count) or "nothing new"
        return f"{found}; skipped: {self.unchanged:,} unchanged"


class SlotOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a slot, written once: *job* and *out* when a job was made, else the *reason* for none."""

    slot: str
    moment: float
    ended: Ended
    at: float
    by_hand: bool = False
    missed: int = 0
    job: str | None = None
    out: str | None = None
    reason: str | None = None
    picked: Picked | None = None


class Begun(msgspec.Struct, frozen=True):
    """The job that a schedule has started last."""

    job: str
    out: str


def slot_at(moment: float, *, by_hand: bool = False) -> str:
    """The name of the slot at *moment*: ``20261122T013000Z``, with milliseconds and ``-run`` when *by_hand*."""
    when = datetime.fromtimestamp(moment, UTC)
    if by_hand:
        return f"{when:%Y%m%dT%H%M%S}.{when.microsecond // 1000:03d}Z-run"
    return f"{when:%Y%m%dT%H%M%SZ}"


def moment_of(slot: str) -> float:
    """The moment of the slot with this name."""
    clock = slot.removesuffix("-run")
    return (
        datetime.strptime(clock, "%Y%m%dT%H%M%S.%fZ" if "." in clock else "%Y%m%dT%H%M%SZ")
        .replace(tzinfo=UTC)
        .timestamp()
    )
