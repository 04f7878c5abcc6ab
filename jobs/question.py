"""A question at the terminal."""

from __future__ import annotations

import select
import signal
import sys
import termios
import threading
from contextlib import suppress


class Question:
    """A question at the terminal that can be abandoned while it waits."""

    def __init__(self) -> None:
        self._abandoned = threading.Event()
        self._open = False

    @property
    def possible(self) -> bool:
        """Whether there is a terminal to read from and to write to."""
        return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> bool | None:
        """The answer; ``None`` without a terminal."""
        if not self.possible:
            return None
        _forget_what_was_typed()
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        self._open = True
        try:
            return self._answer()
        finally:
            self._open = False

    def _answer(self) -> bool:
        # A plain readline() in a thread would keep the process alive until somebody presses Enter.
        while not self._abandoned.is_set():
            if select.select([sys.stdin], [], [], 0.2)[0]:
                return sys.stdin.readline().strip().lower() in ("y", "yes")
        return False

    def give_way(self) -> None:
        """Begin a new line before other text."""
        if self._open:
            sys.stderr.write("\n")

    def abandon(self) -> None:
        """Answer an open question with no."""
        self._abandoned.set()


def _forget_what_was_typed() -> None:
    """What was typed before a question is no answer to it."""
    # A terminal stops who does so in the background, calls in flight and all.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with suppress(termios.error):  # the terminal is gone, and so will be who could answer
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
