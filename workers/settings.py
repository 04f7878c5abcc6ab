"""The settings of a worker process; the environment is read once, at the start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.errors import UsageError
from pipeline.job.spec import SHARD_ROWS

#: Shards beyond those that fill the slots: while rows of some wait for a retry, rows of others are called.
_SHARDS_WAITING = 3


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one worker process.

    Attributes:
        store: where job folders and the registry of jobs are: ``RETOUCH_STORE``.
        slots: calls in flight, over all jobs.
        lease: seconds for which a shard is claimed, and after which a dead worker's shards are taken over.
        grace: seconds that calls in flight get when the worker is told to end; ``None``: a little more than their
            jobs' timeouts.
        stalled: seconds without a message, while some lie in the queue, after which the consumer is restarted.
        hook: the command, as words, that is run for each notification.
        signing_key: signs what webhooks are sent.
        events: send Celery's events, for monitors such as Flower.
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
        """Threads of the worker; each waits for one shard, whose rows run on the event loop."""
        return self.slots // SHARD_ROWS + _SHARDS_WAITING

    @property
    def beat(self) -> float:
        """Seconds between two heartbeats: a lease survives two lost ones, and figures are at most a second old."""
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
