"""Where in an answer's JSON a scanner is, told from the gaps between its strings: names, brackets, nothing else.

It says which strings are pictures, and of the pictures that have been decoded which one need not be kept.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_BRACKETS = re.compile(rb"[{}\[\]]")
# A part's picture, by the names of what is open around it; items of lists have none. Elsewhere (in a function's
# response, in fields yet unknown) an ``inlineData`` is not what the model painted.
_AROUND = [b"", b"candidates", b"", b"content", b"parts", b""]
_INLINE = (b"inlineData", b"inline_data")
_SIGNATURE = (b"thoughtSignature", b"thought_signature")


class Role(Enum):
    """What becomes of a string: it is kept as text, decoded as a picture, or dropped."""

    TEXT = auto()
    PICTURE = auto()
    SIGNATURE = auto()


class Parts:
    """Where in the document we are, and which picture is of which part.

    Attributes:
        name: the last string, as long as it may be a name.
        depth: objects and lists that are open.
    """

    def __init__(self) -> None:
        self.name = b""
        self.depth = 0
        self._is_value = False  # the string that begins is the value of *name*
        self._path = [b""] * (len(_AROUND) + 1)  # names of the outermost that are open, and of some that were
        self._thought: set[int] = set()  # depths of open objects that hold "thought": true
        self._open: list[tuple[int, int]] = []  # pictures whose part is open: index, depth of the part
        self._best: tuple[int, bool] | None = None  # picture to keep of the closed parts: index, is a thought

    def gap(self, gap: bytes) -> list[int]:
        """Take what stood between two strings; the pictures that need not be kept any more."""
        tokens = b"".join(gap.split())
        if tokens.startswith(b":true") and self.name == b"thought":
            self._thought.add(self.depth)
        superseded: list[int] = []
        for bracket in _BRACKETS.finditer(tokens):
            if bracket.group() in b"{[":
                # What closes more than it has opened is no JSON, and may be of any depth.
                if 0 <= self.depth < len(self._path):
                    self._path[self.depth] = self.name if bracket.start() == 1 and tokens[:1] == b":" else b""
                self.depth += 1
            else:
                superseded += self._close()
                self.depth -= 1
        self._is_value = tokens == b":"
        return superseded

    def role(self) -> Role:
        """What the string is that begins here."""
        if self._is_value and self.name in _SIGNATURE:
            return Role.SIGNATURE
        picture = self._is_value and self.name == b"data" and self._in_a_picture()
        return Role.PICTURE if picture else Role.TEXT

    def picture(self, index: int) -> None:
        """Picture *index* begins here."""
        self._open.append((index, self.depth - 1))

    def _in_a_picture(self) -> bool:
        *around, name = self._path
        return self.depth == len(self._path) and name in _INLINE and around == _AROUND

    def _close(self) -> list[int]:
        closing = [index for index, part in self._open if part == self.depth]
        superseded = [
            loser for index in closing for loser in self._settle(index, self.depth in self._thought)
        ]
        self._open = [(index, part) for index, part in self._open if part != self.depth]
        self._thought.discard(self.depth)
        return superseded

    def _settle(self, index: int, thought: bool) -> list[int]:
        """The part of picture *index* is closed; which picture loses against which (gemini-api.md 0.5)."""
        best, self._best = self._best, (index, thought)
        if best is None:
            return []
        if thought and not best[1]:
            self._best = best
            return [index]
        return [best[0]]
