"""What the environment says to workers; read once, at the start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.errors import UsageError
from pipeline.job.spec import SHARD_ROWS

#: Shards beside those that fill the slots: their rows wait for a retry while others are called.
_SHARDS_WAITING = 3


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one worker process.

    Attributes:
        store: where settled edits are remembered: ``RETOUCH_STORE``.
        slots: calls in flight, over all jobs.
        lease: seconds for which a shard is claimed; a dead worker's shards are taken over after so long.
    """

    redis_url: str
    slots: int
    store: str = "./retouch-jobs"
    lease: float = 10.0
    key: str = field(repr=False, default="")
    base_url: str = ""

    @property
    def threads(self) -> int:
        """Threads of the worker, each of which has a shard on the loop."""
        return self.slots // SHARD_ROWS + _SHARDS_WAITING

    @property
    def beat(self) -> float:
        """Seconds between two heartbeats: two may be lost before a lease is, and figures are a second old."""
        return min(1.0, self.lease / 3)


def lease_seconds(environment: Mapping[str, str] = os.environ) -> float:
    """``RETOUCH_LEASE_SECONDS``, or ten.

    Raises:
        UsageError: it is no number of seconds from half of one up.
    """
    text = environment.get("RETOUCH_LEASE_SECONDS", "").strip() or "10"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.5 <= seconds <= 3600:
        raise UsageError(f"RETOUCH_LEASE_SECONDS={text!r}: give seconds from 0.5 to 3600")
    return seconds
