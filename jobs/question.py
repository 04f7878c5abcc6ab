"""A question at the terminal."""

from __future__ import annotations

import select
import sys
import threading


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
        """Before other talk: it starts on a line of its own."""
        if self._open:
            sys.stderr.write("\n")

    def abandon(self) -> None:
        """Let a question that still waits end with no."""
        self._abandoned.set()
