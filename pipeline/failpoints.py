"""Failpoints: the named steps of a row, at each of which the chaos suite kills the process: nothing may be lost.

``RETOUCH_KILL_AT=kept:3`` kills it, as ``kill -9`` does, when the step *kept* is reached for the third time.
Without the variable a step costs one comparison.
"""

from __future__ import annotations

import os
import signal
from itertools import count

#: In their order: the intent is put, the body begun, the answer come, its picture verified, its picture put, the
#: record put (or left to the fold), the shard folded and its small files dropped.
STEPS = ("intended", "begun", "received", "verified", "kept", "settled", "folded")

#: Those of a schedule's slot: it is claimed, the folder of its job made, the job handed to the workers, and settled.
SLOT_STEPS = ("slot_claimed", "slot_opened", "slot_handed")

#: The plan of a shard is put; others are under way.
PLAN_STEP = "planned"

_STEP, _, _TIMES = os.environ.get("RETOUCH_KILL_AT", "").partition(":")
_reached = count(1)


def reached(step: str) -> None:
    """Say that *step* is behind us."""
    if step == _STEP and next(_reached) == int(_TIMES or 1):
        os.kill(os.getpid(), signal.SIGKILL)
