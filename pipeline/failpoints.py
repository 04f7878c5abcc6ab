"""Failpoints: the named steps of a row, at each of which the chaos suite ends the process: nothing may be lost.

``RETOUCH_KILL_AT=kept:3`` kills it, as ``kill -9`` does, when the step *kept* is reached for the third time;
``RETOUCH_FREEZE_AT`` stops it there until it gets SIGCONT. Without the variables a step costs two comparisons.
"""

from __future__ import annotations

import os
import signal
import threading
from itertools import count

#: In their order: the intent is put, the body begun, the answer come, its picture verified and about to be put, its
#: picture put, the record put (or left to the fold), the shard folded and its small files about to be dropped.
STEPS = ("intended", "begun", "received", "verified", "kept", "settled", "folded")

#: A shard is opened: what is in it is known, as it was then.
OPENED_STEP = "opened"

#: The records are collected for the results, of which nothing is written yet.
COLLECTED_STEP = "collected"

#: Those of a schedule's slot: it is claimed, the folder of its job made, the job handed to the workers, and settled.
SLOT_STEPS = ("slot_claimed", "slot_opened", "slot_handed")

#: The plan of a shard is put; others are under way.
PLAN_STEP = "planned"


class _Order:
    """What *variable* orders: *number* is sent to the process when a step is reached so many times."""

    def __init__(self, variable: str, number: signal.Signals) -> None:
        self.step, _, times = os.environ.get(variable, "").partition(":")
        self._number = number
        self._times = int(times or 1)
        self._reached = count(1)

    def reach(self) -> None:
        if next(self._reached) == self._times:
            # To this thread: another may take a while until it stops the process, and the step would be long past.
            signal.pthread_kill(threading.get_ident(), self._number)


_ORDERS = (
    _Order("RETOUCH_KILL_AT", signal.SIGKILL),
    _Order("RETOUCH_FREEZE_AT", signal.SIGSTOP),
)


def failpoint(step: str) -> None:
    """Say that *step* is behind us."""
    for order in _ORDERS:
        if step == order.step:
            order.reach()
