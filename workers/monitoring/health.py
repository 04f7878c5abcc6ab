"""Whether a worker or a scheduler makes progress: the judgement (pure). Progress is judged, not the process."""

from __future__ import annotations

import msgspec

#: Seconds in which the event loop surely comes round, and beyond its calls' timeout in which a worker does anything.
LOOP, SLACK = 30.0, 60.0
#: Seconds in which a scheduler surely looks what is due, also where the store answers at the last moment.
ROUND = 300.0


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a worker's progress, in seconds.

    Attributes:
        silent: since the event loop last came round.
        idle: since a message came, a call was begun or ended, a piece of a picture was uploaded, a row was settled,
            or there was a reason to wait.
        shards: those that this worker holds.
        timeout: what the longest of its calls may take.
        stalled: messages lie in the queue, threads are free and none comes here.
    """

    silent: float
    idle: float
    shards: int
    timeout: float
    stalled: bool


def fault(vitals: Vitals) -> str | None:
    """Why the worker is not healthy, as a sentence; ``None``: it is.

    A Redis, a store or an API that is away is no fault of the worker's: another process would wait for it, too.
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
    """Why a scheduler is not healthy, as a sentence; ``None``: it is.

    Args:
        silent: seconds since its event loop last came round.
        age: seconds since it last looked what is due.
    """
    if silent > LOOP:
        return f"the event loop has not moved for {silent:.0f} s"
    if age > ROUND:
        return f"it has not looked for due runs for {age:.0f} s"
    return None
