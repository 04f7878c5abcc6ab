"""Whether a worker or a scheduler makes progress, which says more than that its process is alive (pure)."""

from __future__ import annotations

import msgspec

#: Seconds without a turn of the event loop, and seconds beyond the timeout of its calls without any progress, after
#: which a worker is unhealthy.
LOOP, SLACK = 30.0, 60.0
#: Seconds without a look for due runs after which a scheduler is unhealthy; long enough for a slow store.
ROUND = 300.0


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a worker's progress, in seconds.

    Attributes:
        silent: since the event loop last turned.
        idle: since a message came, a call was begun or ended, a piece of a picture was uploaded, a row was settled,
            or there was a reason to wait.
        shards: those that this worker holds.
        timeout: the longest timeout of its calls.
        stalled: messages wait in the queue and threads are free, but none is received.
    """

    silent: float
    idle: float
    shards: int
    timeout: float
    stalled: bool


def fault(vitals: Vitals) -> str | None:
    """Why the worker is unhealthy, as a sentence; ``None``: it is healthy.

    While Redis, the store or the API is unavailable a worker is healthy: a restarted one would wait as well.
    """
    if vitals.silent > LOOP:
        return f"the event loop has not moved for {vitals.silent:.0f} s"
    if vitals.stalled:
        return "messages are waiting and threads are free, but none is received"
    if vitals.shards and vitals.idle > vitals.timeout + SLACK:
        return (
            f"{vitals.shards} shards are open here, and nothing was begun or ended for {vitals.idle:.0f} s, "
            f"though no call may take more than {vitals.timeout:.0f} s"
        )
    return None


def rounds_fault(*, silent: float, age: float) -> str | None:
    """Why a scheduler is unhealthy, as a sentence; ``None``: it is healthy.

    Args:
        silent: seconds since its event loop last turned.
        age: seconds since it last looked for due runs.
    """
    if silent > LOOP:
        return f"the event loop has not moved for {silent:.0f} s"
    if age > ROUND:
        return f"it has not looked for due runs for {age:.0f} s"
    return None
