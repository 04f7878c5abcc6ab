"""Exit codes, as documented in ``exit-codes.md``; scripts rely on them."""

from __future__ import annotations

from pipeline.status import State, Status

#: Stopped by a signal.
INTERRUPTED = 130
#: A bug; a code of its own, so that no script mistakes it for the state of a job.
INTERNAL = 70


def exit_code(status: Status) -> int:
    """The exit code of a job that stands at *status*."""
    if status.state is State.FINISHED:
        return 0 if status.outcomes["done"] == status.rows else 1
    if status.state in (State.HALTED, State.PAUSED, State.WAITING):
        return 3
    return 1 if status.state is State.CANCELLED else INTERRUPTED
