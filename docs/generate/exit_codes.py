"""What a command's exit code says; by the code that chooses it."""

from __future__ import annotations

import inspect

from docs.generate.markdown import code, said, table
from jobs.exits import INTERNAL, INTERRUPTED, exit_code
from pipeline import errors
from pipeline.status import State, Status

_INTRO = """# Exit codes

| code | |
| --- | --- |
| 0 | every row is done; a command that reads has read |
| 1 | finished or cancelled, and some rows are not done; `check`: faults were found; `doctor`: something is at fault; `probe`: no progress; `verify`: a file is not as its record says |
| 2 | bad usage, a manifest that cannot be read, Redis or the store out of reach at the start, an unknown job, or a question without a terminal and without `--yes`: nothing was called |
| 3 | a person is needed: the job is halted (key, billing, model), paused (by its budget or by `retouch pause`), or waits |
"""

_STATES = """
## By the state of a job

For `run`, `watch` and `retry`. After 1, 3 and 130, results and report hold what is settled so far.
"""

_ERRORS = """
## By the error

Each is one sentence on standard error: what, where, and how to mend it.
"""


def page() -> str:
    """The page."""
    last = [
        f"| {INTERRUPTED} | interrupted by Ctrl-C or SIGTERM; the same command goes on |",
        f"| {INTERNAL} | a fault of retouch itself; `--debug` shows where it came from |",
    ]
    states = table(["state", "exit code"], [[code(state), _of(state)] for state in State])
    raised = table(
        ["error", "exit code", ""],
        [[code(kind.__name__), str(kind.exit_code), said(kind)] for kind in _errors()],
    )
    return _INTRO + "\n".join(last) + "\n" + _STATES + "\n" + states + _ERRORS + "\n" + raised


def _of(state: State) -> str:
    done = exit_code(Status(job="", out="", state=state, rows=1, outcomes={"done": 1}))
    some = exit_code(Status(job="", out="", state=state, rows=2, outcomes={"done": 1}))
    return str(done) if done == some else f"{done} when every row is done, else {some}"


def _errors() -> list[type[errors.RetouchError]]:
    found = [thing for _, thing in inspect.getmembers(errors, inspect.isclass)]
    return [
        kind for kind in found if issubclass(kind, errors.RetouchError) and kind is not errors.RetouchError
    ]
