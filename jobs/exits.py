"""Exit codes, on which scripts rely: ``exit-codes.md``."""

from __future__ import annotations

from pipeline.status import State, Status

#: A process that was told to end.
INTERRUPTED = 130
#: A fault of ours, so that no script takes it for the state of a job.
INTERNAL = 70


def exit_code(status: Status) -> int:
    """The exit code of a job that stands at *status*."""
    if status.state is State.FINISHED:
        return 0 if status.outcomes["done"] == status.rows else 1
    if status.state in (State.HALTED, State.PAUSED, State.WAITING):
        return 3
    return 1 if status.state is State.CANCELLED else INTERRUPTED
