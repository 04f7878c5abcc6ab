"""Reads a JSON body in pieces: pictures are decoded as they arrive, thought signatures dropped, the rest is kept.

A real answer has 2.6 to 4.2 MB, of which the program needs the picture and about a kilobyte around it. So the bytes
are examined only where a string begins or ends (with ``bytes.find``, at memory speed):

* the value of ``data`` in a part's ``inlineData`` is decoded as it arrives and replaced by its index, ``"@0"``;
* the value of ``thoughtSignature`` is replaced by ``""``;
* every other string is kept, up to a limit; long white space between tokens is shortened.

The result, the skeleton, is small JSON for :func:`pipeline.gemini.wire.parse`.
"""

from __future__ import annotations

import json
import re

from pipeline.gemini.answer import Blob
from pipeline.gemini.base64stream import Base64Stream
from pipeline.gemini.parts import Parts, Role

#: Decoded bytes of all pictures of one answer, drafts included; a 4K PNG has 25 MB.
MOST_DECODED = 128 << 20
#: Bytes of the skeleton: everything but pictures and signatures.
MOST_SKELETON = 4 << 20
#: Bytes of one string of the skeleton, such as a text; longer ones are cut.
MOST_TEXT = 64 << 10

_LONGEST_NAME = 120  # "thought_signature" with every character written as \u0074 has 102
_FOLD_FROM = 256
_WHOLE_CHARACTERS = re.compile(rb"(?:[^\\]|\\u[0-9a-fA-F]{4}|\\[^u])*", re.DOTALL)


class Scanner:
    """Feed it the body, call :meth:`finish`, then read what it kept.

    Attributes:
        skeleton: the JSON without what was decoded or dropped.
        blobs: decoded pictures by index: of those whose part is closed, only the last that is not a thought,
            or else the last.
        full: a limit was exceeded; the rest is ignored.
    """

    def __init__(
        self,
        *,
        most_decoded: int = MOST_DECODED,
        most_skeleton: int = MOST_SKELETON,
        most_text: int = MOST_TEXT,
    ) -> None:
        self._most_decoded, self._most_skeleton, self._most_text = most_decoded, most_skeleton, most_text
        self.skeleton = bytearray()
        self.blobs: dict[int, Blob] = {}
        self.full = False
        self._decoded = 0
        self._pictures = 0
        self._inside = False  # a string
        self._escaped = False  # the next byte belongs to a backslash in the last piece
        self._role = Role.TEXT
        self._base64 = Base64Stream()
        self._start = 0  # where in the skeleton the string, or the gap between strings, began
        self._cut = False  # the string is at its bound
        self._parts = Parts()

    @property
    def whole(self) -> bool:
        """Whether every string, object and list is closed, now that the body has ended."""
        return not self._inside and self._parts.depth == 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the body."""
        at = 0
        while at < len(piece) and not self.full:
            at = self._in_string(piece, at) if self._inside else self._in_gap(piece, at)

    def finish(self) -> None:
        """The body has ended."""
        if not self._inside:
            self._prune(self._parts.gap(bytes(self.skeleton[self._start :])))

    def _in_gap(self, piece: bytes, start: int) -> int:
        """Take what is outside any string, from *start*; where to continue."""
        quote = piece.find(b'"', start)
        if quote < 0:
            self._keep(_folded(piece[start:]))
            return len(piece)
        self._keep(_folded(piece[start:quote]))
        self._begin()
        return quote + 1

    def _begin(self) -> None:
        """A string begins; the gap before it decides its role."""
        self._prune(self._parts.gap(bytes(self.skeleton[self._start :])))
        self._inside, self._cut, self._role = True, False, self._parts.role()
        self._keep(b'"')
        if self._role is Role.PICTURE:
            self._base64 = Base64Stream()
            self.blobs[self._pictures] = self._base64.blob
            self._parts.picture(self._pictures)
            self._keep(b"@%d" % self._pictures)
            self._pictures += 1
        self._start = len(self.skeleton)

    def _in_string(self, piece: bytes, start: int) -> int:
        """Take what is inside a string, from *start*; where to continue."""
        quote = self._closing(piece, start)
        stop = quote if quote >= 0 else len(piece)
        if self._role is Role.PICTURE:
            self._decode(piece, start, stop)
        elif self._role is Role.TEXT and not self._cut:
            self._text(piece, start, stop)
        if quote < 0:
            return stop
        self._end()
        return quote + 1

    def _closing(self, piece: bytes, start: int) -> int:
        """The position of the string's closing quote; -1 if it is not in *piece*."""
        at = start + self._escaped
        while True:
            quote = piece.find(b'"', at)
            stop = quote if quote >= 0 else len(piece)
            run = stop
            while run > at and piece[run - 1] == 0x5C:
                run -= 1
            odd = (stop - run) % 2 == 1
            if quote < 0 or not odd:
                self._escaped = odd
                return quote
            at = quote + 1

    def _decode(self, piece: bytes, start: int, stop: int) -> None:
        self._decoded += self._base64.feed(piece, start, stop)
        if self._decoded > self._most_decoded:
            self._base64.spoil()
            self.full = True

    def _text(self, piece: bytes, start: int, stop: int) -> None:
        room = self._most_text - (len(self.skeleton) - self._start)
        if stop - start <= room:
            self._keep(piece[start:stop])
            return
        text = bytes(self.skeleton[self._start :]) + piece[start : start + room]
        text = text.decode("utf-8", "ignore").encode()
        if match := _WHOLE_CHARACTERS.match(text):
            text = match.group()
        self.skeleton[self._start :] = text
        self._cut = True

    def _end(self) -> None:
        """The string has ended; it may be a name."""
        text = bytes(self.skeleton[self._start : self._start + _LONGEST_NAME + 1])
        self._parts.name = _name(text) if self._role is Role.TEXT else b""
        if self._role is Role.PICTURE:
            self._base64.close()
        self._inside = False
        self._keep(b'"')
        self._start = len(self.skeleton)

    def _keep(self, text: bytes) -> None:
        self.skeleton += text
        if len(self.skeleton) > self._most_skeleton:
            self.full = True

    def _prune(self, superseded: list[int]) -> None:
        for index in superseded:
            self.blobs.pop(index, None)


def _name(text: bytes) -> bytes:
    """*text*, the contents of a JSON string, as a name; no known name is longer than the limit."""
    if len(text) > _LONGEST_NAME or b"\\" not in text:
        return text[:_LONGEST_NAME]
    try:
        return str(json.loads(b'"%b"' % text)).encode("utf-8", "replace")
    except ValueError:
        return b""


def _folded(gap: bytes) -> bytes:
    """*gap* with less white space, if it is long; its tokens stay separate."""
    if len(gap) < _FOLD_FROM:
        return gap
    before, after = (b" " if edge.isspace() else b"" for edge in (gap[:1], gap[-1:]))
    return before + b" ".join(gap.split()) + after
