"""What users see while a job runs: a live view in a terminal, plain lines elsewhere, JSON for scripts.

Everything here goes to standard error, except the JSON of ``--json``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from jobs import output, words
from jobs.masking import masked
from jobs.question import Question
from pipeline.errors import UsageError
from pipeline.status import State, Status

#: Seconds between two plain lines of a job whose state does not change.
LINES_EVERY = 10.0

#: Terminals that cannot move their cursor.
_DUMB = frozenset({"", "dumb", "unknown"})


class View(Protocol):
    """How commands talk to the user; every method may be called from any thread."""

    def update(self, status: Status) -> None:
        """Show *status*. Call it as often as you like: it draws no more often than anyone can read."""
        ...

    def say(self, text: str) -> None:
        """Show a line of text."""
        ...

    @property
    def can_ask(self) -> bool:
        """Whether there is a terminal to ask at."""
        ...

    def ask(self, question: str) -> bool | None:
        """The answer; ``None`` when there is no terminal to ask at. Waits, so call it in a thread.

        :meth:`close` ends the wait with ``False``, so that an open question does not delay Ctrl-C.
        """
        ...

    def close(self, status: Status | None = None) -> None:
        """Give the terminal back; with *status*, show the result of the job. A second call does nothing."""
        ...


def open_view(*, json: bool = False) -> View:
    """A view for scripts if *json*, else one that suits standard error."""
    if json:
        return JsonView()
    if sys.stderr.isatty() and os.environ.get("TERM", "") not in _DUMB:
        # 150 ms of imports that only a terminal needs.
        from jobs.screen import Screen  # noqa: PLC0415

        return Screen()
    return Lines()


@contextmanager
def viewing(*, json: bool) -> Iterator[View]:
    """:func:`open_view`, closed at the end of the block."""
    view = open_view(json=json)
    try:
        yield view
    finally:
        view.close()


class _Talk:
    """What the views that write plain lines have in common."""

    def __init__(self) -> None:
        self._question = Question()
        self._closed = False

    def say(self, text: str) -> None:
        self._question.give_way()
        output.say(masked(text))

    @property
    def can_ask(self) -> bool:
        return self._question.possible

    def ask(self, question: str) -> bool | None:
        return self._question.ask(question)

    def close(self, status: Status | None = None) -> None:
        self._question.abandon()
        if not self._closed and status is not None:
            self._conclude(status)
        self._closed = True

    def _conclude(self, status: Status) -> None:
        raise NotImplementedError


class Lines(_Talk):
    """Plain lines: the first, one when the state changes, else one in ten seconds; a summary at the end.

    Args:
        clock: seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: tuple[State, bool] | None = None
        self._state = ""
        self._at = 0.0

    def update(self, status: Status) -> None:
        news = _news(status)
        if self._closed or (news == self._said and self._clock() - self._at < LINES_EVERY):
            return
        self._said, self._at, self._state = news, self._clock(), words.state_line(status)
        self.say(words.one_line(status))

    def _conclude(self, status: Status) -> None:
        first, *rest = words.summary(status)
        known = status.state_reason and self._state == words.state_line(status)
        for line in [f"{status.job} {status.state}" if known else first, *rest]:
            self.say(line)


class JsonView(_Talk):
    """For scripts: no figures while the job runs; messages on standard error, the last status on standard output."""

    def __init__(self) -> None:
        super().__init__()
        self._said: tuple[State, bool] | None = None

    def update(self, status: Status) -> None:
        news = _news(status)
        if news != self._said and status.state_reason:
            self.say(words.state_line(status))
        self._said = news

    def _conclude(self, status: Status) -> None:
        self.update(status)
        try:
            output.write_json(status)
            output.flush()
        except BrokenPipeError:
            # The exit code still tells how the job ended.
            output.hush()
        except UsageError as error:
            self.say(f"retouch: {error}")


def _news(status: Status) -> tuple[State, bool]:
    """What is shown at once when it changes: the state and whether it has a reason, whose words may change often."""
    return status.state, status.state_reason is not None
