"""Runs a command when something has happened: without a shell, with the facts, and without our keys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Mapping

from pipeline.errors import UsageError
from pipeline.notify.settings import SECRET

#: Seconds that a command may take.
DEADLINE = 60.0

_STANDARD_ERROR = 2

#: Variables that a command does not get.
_KEPT_BACK = frozenset({"GEMINI_API_KEY", "GOOGLE_API_KEY", SECRET, "RETOUCH_NOTIFY"})


def words_of(command: str | None) -> tuple[str, ...]:
    """The words of *command*, split as by a shell; to get a shell, use ``sh -c '…'``.

    Raises:
        UsageError: a quotation mark is open.
    """
    try:
        return tuple(shlex.split(command or ""))
    except ValueError as error:
        raise UsageError(f"--notify-command cannot be split into words ({error}): close its quotes") from None


async def run(
    words: tuple[str, ...], facts: Mapping[str, str], body: bytes, deadline: float = DEADLINE
) -> str | None:
    """Run a command, with *body* on its standard input; ``None``, or why it failed.

    Its output goes to standard error, because standard output is for data. At its *deadline*, or when we end, it is
    killed together with everything that it has started.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _KEPT_BACK}
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=_STANDARD_ERROR,
            env=environment | dict(facts),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        return f"--notify-command {words[0]} cannot be run ({why})"
    try:
        async with asyncio.timeout(deadline):
            await process.communicate(body)
    except TimeoutError:
        return f"--notify-command {words[0]} took longer than {deadline:.0f} s and was killed"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return f"--notify-command {words[0]} ended with {process.returncode}" if process.returncode else None
