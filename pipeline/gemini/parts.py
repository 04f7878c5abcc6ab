"""Tracks where in an answer's JSON the scanner is, from names and from the brackets between strings alone.

It tells which strings are pictures, and which decoded pictures need not be kept.
"""

from __future__ import annotations

import re
from enum import Enum, auto

_BRACKETS = re.compile(rb"[{}\[\]]")
# The names of the objects and lists around the picture of a part; items of lists have none. An ``inlineData``
# anywhere else (in a function's response, in a field that is still unknown) is not the model's picture.
_AROUND = [b"", b"candidates", b"", b"content", b"parts", b""]
_INLINE = (b"inlineData", b"inline_data")
_SIGNATURE = (b"thoughtSignature", b"thought_signature")


class Role(Enum):
    """What happens to a string: it is kept as text, decoded as a picture, or dropped."""

    TEXT = auto()
    PICTURE = auto()
    SIGNATURE = auto()


class Parts:
    """The position in the document, and which picture belongs to which part.

    Attributes:
        name: the last string, which may be a name.
        depth: how many objects and lists are open.
    """

    def __init__(self) -> None:
        self.name = b""
        self.depth = 0
        self._is_value = False  # the string that begins here is the value of *name*
        self._path = [b""] * (
            len(_AROUND) + 1
        )  # names of the outermost open ones; entries beyond *depth* are stale
        self._thought: set[int] = set()  # depths of open objects that hold "thought": true
        self._open: list[tuple[int, int]] = []  # pictures whose part is still open: index, depth of the part
        self._best: tuple[int, bool] | None = (
            None  # the picture of the closed parts to keep: index, whether it is a thought
        )

    def gap(self, gap: bytes) -> list[int]:
        """Take the text between two strings; the pictures that no longer need to be kept."""
        tokens = b"".join(gap.split())
        if tokens.startswith(b":true") and self.name == b"thought":
            self._thought.add(self.depth)
        superseded: list[int] = []
        for bracket in _BRACKETS.finditer(tokens):
            if bracket.group() in b"{[":
                # A document that closes more than it has opened is not JSON, and its depth may be anything.
                if 0 <= self.depth < len(self._path):
                    self._path[self.depth] = self.name if bracket.start() == 1 and tokens[:1] == b":" else b""
                self.depth += 1
            else:
                superseded += self._close()
                self.depth -= 1
        self._is_value = tokens == b":"
        return superseded

    def role(self) -> Role:
        """The role of the string that begins here."""
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
        """The part of picture *index* is closed: the pictures that are now superseded (gemini-api.md 0.5)."""
        best, self._best = self._best, (index, thought)
        if best is None:
            return []
        if thought and not best[1]:
            self._best = best
            return [index]
        return [best[0]]
