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
        grace: seconds for which calls in flight may go on when the worker is told to end; ``None``: as their
            jobs' timeouts say.
        stalled: seconds without a message, while some lie in the queue, after which the consumer is restarted.
        hook: the words of the command that is run when there is news of a job.
        signing_key: signs what webhooks are sent.
        events: Celery tells Flower and its like what it does.
    """

    redis_url: str
    slots: int
    store: str = "./retouch-jobs"
    lease: float = 10.0
    grace: float | None = None
    stalled: float = 30.0
    key: str = field(repr=False, default="")
    base_url: str = ""
    hook: tuple[str, ...] = ()
    signing_key: bytes | None = field(repr=False, default=None)
    events: bool = False

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
    return _seconds(environment, "RETOUCH_LEASE_SECONDS", 0.5) or 10.0


def grace_seconds(environment: Mapping[str, str] = os.environ) -> float | None:
    """``RETOUCH_GRACE_SECONDS``, or ``None``: a little more than a call may take.

    Raises:
        UsageError: it is no number of seconds.
    """
    return _seconds(environment, "RETOUCH_GRACE_SECONDS", 0.0)


def stalled_seconds(environment: Mapping[str, str] = os.environ) -> float:
    """``RETOUCH_STALLED_SECONDS``, or thirty.

    Raises:
        UsageError: it is no number of seconds from one up.
    """
    return _seconds(environment, "RETOUCH_STALLED_SECONDS", 1.0) or 30.0


def _seconds(environment: Mapping[str, str], name: str, least: float) -> float | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not least <= seconds <= 3600:
        raise UsageError(f"{name}={text!r}: give seconds from {least:g} to 3600")
    return seconds
