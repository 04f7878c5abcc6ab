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
| 0 | every row is done; or the command did what it should |
| 1 | finished or cancelled, but some rows are not done; `check`: mistakes found; `doctor`: faults found; `probe`: not healthy; `verify`: something differs from the records |
| 2 | nothing was called: wrong usage, an unreadable manifest, an unknown job, Redis or the store not available at the start, or a question that could not be asked because there is no terminal and no `--yes` |
| 3 | the job needs you: it is halted (key, billing, model), paused (by its budget or by `retouch pause`), or waiting |
"""

_STATES = """
## By the state of a job

For `run`, `watch` and `retry`. After 1, 3 and 130, the results and the report contain all rows finished so far.
"""

_ERRORS = """
## By the error

Each error is one sentence on standard error: what is wrong, where, and how to fix it.
"""


def page() -> str:
    """The page."""
    last = [
        f"| {INTERRUPTED} | interrupted by Ctrl-C or SIGTERM; the same command continues |",
        f"| {INTERNAL} | a bug in retouch; `--debug` shows the traceback |",
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
