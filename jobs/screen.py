"""The live view in a terminal: a few lines that are redrawn in place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jobs import words
from jobs.masking import masked
from jobs.question import Question
from pipeline.record import Outcome
from pipeline.report.words import OUTCOMES, number
from pipeline.status import State, Status

#: Seconds between two drawings: nobody reads faster, and some terminals flicker.
DRAW_EVERY = 0.25

#: Columns from which each outcome has a description beside it.
_WIDE = 70

_STATES = {
    State.QUEUED: "cyan",
    State.RUNNING: "green",
    State.PAUSED: "yellow",
    State.WAITING: "yellow",
    State.HALTED: "bold red",
    State.CANCELLED: "magenta",
    State.FINISHED: "bold green",
}
_COLOURS = {
    Outcome.DONE: "green",
    Outcome.BLOCKED: "yellow",
    Outcome.FAILED: "red",
    Outcome.INVALID: "magenta",
    Outcome.CANCELLED: "bright_black",
}


class Screen:
    """Draws the last status at most four times a second.

    Args:
        console: where to; standard error unless a test says otherwise.
        clock: seconds, for tests.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._live = self._new_live()
        self._lock = threading.Lock()
        self._question = Question()
        self._drawn_at = float("-inf")
        self._started = False
        self._closed = False

    def update(self, status: Status) -> None:
        # Never wait for the lock, as while a question is open: the next status comes soon.
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = self._clock()
            if self._closed or now - self._drawn_at < DRAW_EVERY:
                return
            self._drawn_at = now
            self._start()
            self._live.update(layout(status, self._console.width), refresh=True)
        finally:
            self._lock.release()

    def say(self, text: str) -> None:
        self._question.give_way()
        self._console.print(Text(masked(text)), overflow="fold")

    @property
    def can_ask(self) -> bool:
        return self._question.possible

    def ask(self, question: str) -> bool | None:
        with self._lock:
            self._stop()
            answer = self._question.ask(question)
            self._live = self._new_live()
            return answer

    def close(self, status: Status | None = None) -> None:
        self._question.abandon()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._stop()
        if status is not None:
            self._console.print(ending(status), overflow="fold")

    def _new_live(self) -> Live:
        # Transient, so that only the summary stays on the screen; standard output is for data.
        return Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)

    def _start(self) -> None:
        if not self._started:
            self._live.start()
            self._started = True

    def _stop(self) -> None:
        if self._started:
            self._live.stop()
            self._started = False


def layout(status: Status, width: int) -> RenderableType:
    """The live view of *status* for a terminal of *width* columns."""
    parts = [_head(status), _bar(status, width), _outcomes(status, width), Text(words.pace_line(status))]
    troubles = words.troubles_line(status)
    if troubles:
        parts.append(Text(f"answers without a picture: {troubles}", style="bright_black"))
    return Group(*parts)


def ending(status: Status) -> RenderableType:
    """The summary, in the colour of its state."""
    first, *rest = words.summary(status)
    return Text("\n").join([Text(first, style=_STATES[status.state]), *map(Text, rest)])


def _head(status: Status) -> Text:
    state = Text(words.state_line(status), style=_STATES[status.state])
    return Text.assemble((status.job, "bold"), " ", state)


def _bar(status: Status, width: int) -> RenderableType:
    share = words.share_settled(status)
    line = words.rows_line(status)
    if share is None or width < len(line) + 12:
        return Text(line)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=1.0, completed=share, width=min(40, width - len(line) - 2)), line)
    return grid


def _outcomes(status: Status, width: int) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(justify="left", no_wrap=True, overflow="ellipsis")
    for outcome, colour in _COLOURS.items():
        count = status.outcomes.get(outcome.value) or 0
        if count or outcome is not Outcome.CANCELLED:
            meaning = OUTCOMES[outcome] if width >= _WIDE else ""
            style = colour if count else "bright_black"
            table.add_row(Text(f"  {outcome}", style=style), Text(f"{count:,}", style=style), Text(meaning))
    table.add_row("  pending", Text(number(status.outcomes.get("pending"))), "")
    return table
