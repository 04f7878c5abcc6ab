"""What a schedule is, as it is stored in JSON; pure. Moments are seconds since the epoch in UTC."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Cron(msgspec.Struct, frozen=True, tag="cron"):
    """Five fields of cron, read in the zone *tz* (an IANA name)."""

    expression: str
    tz: str


class Every(msgspec.Struct, frozen=True, tag="every"):
    """Each *seconds* after *anchor*, so that no restart shifts it."""

    seconds: int
    anchor: int


class At(msgspec.Struct, frozen=True, tag="at"):
    """Once, at *moment*."""

    moment: int


When = Cron | Every | At


class Overlap(StrEnum):
    """What becomes of a slot while the previous run is still going."""

    SKIP = "skip"
    QUEUE = "queue"


class Missed(StrEnum):
    """What becomes of slots that were due while no scheduler was running: one run for all of them, or none."""

    CATCH_UP = "catch-up"
    SKIP = "skip"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a schedule; an edit makes the next.

    Attributes:
        tz: the zone in which people read its times (an IANA name).
        options: what was given for ``submit``, the manifest too, by its parameters' names; paths are absolute.
        incremental: a run edits only the pictures that are new or changed.
        since: only slots after this moment count.
        removed: whether the schedule was removed; its history stays.
    """

    name: str
    version: int
    when: When
    tz: str
    options: dict[str, Any]
    since: float
    created_at: float
    overlap: Overlap = Overlap.SKIP
    missed: Missed = Missed.CATCH_UP
    incremental: bool = False
    paused: bool = False
    removed: bool = False

    @property
    def live(self) -> bool:
        """Whether the clock starts runs of it."""
        return not (self.paused or self.removed)
