"""Failpoints: named steps of a row at which the chaos tests kill the process, to show that nothing is lost.

With ``RETOUCH_KILL_AT=kept:3``, the process is killed (as by ``kill -9``) when it reaches the step *kept* for the
third time; ``RETOUCH_FREEZE_AT`` stops it there until SIGCONT. Without these variables a step costs two comparisons.
"""

from __future__ import annotations

import os
import signal
import threading
from itertools import count

#: In order: the intent was put, the body begun, the answer received, its picture verified and about to be put, the
#: picture put, the record put (or left for the fold), the shard folded and its small files about to be removed.
STEPS = ("intended", "begun", "received", "verified", "kept", "settled", "folded")

#: A shard was opened: its state was read.
OPENED_STEP = "opened"

#: The records were collected, and nothing of the results is written yet.
COLLECTED_STEP = "collected"

#: The steps of a schedule's slot: it was claimed, its job's folder created, the job handed to the workers.
SLOT_STEPS = ("slot_claimed", "slot_opened", "slot_handed")

#: The plan of a shard was put, while others are being written.
PLAN_STEP = "planned"


class _Order:
    """The order in *variable*: send the process the signal *number* when a step is reached so many times."""

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
    """Carry out the orders for *step*, which is done."""
    for order in _ORDERS:
        if step == order.step:
            order.reach()
