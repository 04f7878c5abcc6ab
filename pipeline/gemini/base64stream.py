"""Decodes base64 inside a JSON string piece by piece, without ever holding the whole text."""

from __future__ import annotations

import binascii
import re

import pybase64

from pipeline.gemini.answer import Blob

#: Bytes of the pieces that a picture is kept in until it is complete; the last may be shorter.
_LEAST = 64 << 10
#: A picture with more bytes than this is kept in one buffer.
_LARGE = 4 << 20
_SPACE = b" \t\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_MEANT = {b"/": b"/", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


class Base64Stream:
    """Takes the contents of a JSON string in pieces cut anywhere, even inside an escape.

    It accepts the standard and the URL-safe alphabet, skips white space, and does not require padding (proto JSON
    allows all of this). Too much padding is accepted as well, because a picture that was paid for must not be lost
    over it; only padding and white space may follow it. Anything else makes the blob unsound, and its bytes are
    discarded.
    """

    def __init__(self) -> None:
        self.blob = Blob(b"")
        self._made: list[bytes | bytearray] = []
        self._length = 0
        self._escape = b""  # begun in the last piece
        self._carry = b""  # up to three characters that wait for their fourth
        self._padded = False

    def feed(self, piece: bytes, start: int, end: int) -> int:
        """Decode ``piece[start:end]``; how many bytes that made."""
        if not self.blob.sound:
            return 0
        before = self._length
        if self._escape or piece.find(b"\\", start, end) >= 0:
            plain = self._unescape(self._escape + piece[start:end])
            self._take(plain, 0, len(plain))
        else:
            self._take(piece, start, end)
        return self._length - before

    def close(self) -> Blob:
        """The blob, now that its string has ended."""
        rest = self._carry.translate(None, _SPACE)
        self._carry = b""
        if self._escape:
            self.spoil()
        elif rest:
            self._decode(rest.ljust(4, b"="))
        if self.blob.sound:
            self.blob.data = self._made[0] if len(self._made) == 1 else b"".join(self._made)
            self._made = []
            self.blob.sound = bool(self.blob.data)
        return self.blob

    def spoil(self) -> None:
        """Mark the blob as unsound and discard its bytes."""
        self.blob.sound = False
        self._made, self._length = [], 0

    def _take(self, piece: bytes, start: int, end: int) -> None:
        padding = start if self._padded else piece.find(b"=", start, end)
        if padding >= 0:
            self._padded = True
            if piece[padding:end].translate(None, b"=" + _SPACE):
                self.spoil()
                return
            end = padding
        self._decode(memoryview(piece)[start:end])

    def _decode(self, text: bytes | memoryview) -> None:
        if self._carry:
            text = self._completed(text)
        try:
            self._quads(text)
        except binascii.Error:
            try:
                self._quads(bytes(text).translate(_URL_SAFE, _SPACE))
            except binascii.Error:
                self.spoil()

    def _completed(self, text: bytes | memoryview) -> bytes | memoryview:
        """Decode what was carried over together with the first characters of *text*; return the rest, uncopied."""
        missing = 4 - len(self._carry)
        quad = self._carry + bytes(text[:missing])
        if len(quad) < 4 or not quad.isalnum():
            return b"".join((self._carry, text))
        self._carry = b""
        self._quads(quad)
        return memoryview(text)[missing:]

    def _quads(self, text: bytes | memoryview) -> None:
        whole = len(text) // 4 * 4
        made = pybase64.b64decode(memoryview(text)[:whole], validate=True)
        self._carry = bytes(text[whole:])
        self._keep(made)

    def _keep(self, made: bytes) -> None:
        """Keep *made* in pieces that are joined at the end: a small buffer is copied whenever it grows.

        A large picture is kept in one buffer instead, which usually has its own memory mapping and so grows without
        a copy, whereas many pieces would leave holes in the heap.
        """
        self._length += len(made)
        if self._length > _LARGE and len(self._made) > 1:
            self._made = [bytearray().join(self._made)]
        if self._made and (len(self._made[-1]) < _LEAST or self._length > _LARGE):
            self._made[-1] += made
        else:
            # A short piece must be able to grow, since an answer may arrive byte by byte.
            self._made.append(made if len(made) >= _LEAST else bytearray(made))

    def _unescape(self, text: bytes) -> bytes:
        """*text* without its JSON escapes; an incomplete one waits for the next piece."""
        cut = _open_escape(text)
        self._escape = text[cut:]
        return _ESCAPE.sub(_meaning, text[:cut].replace(b"\\/", b"/") if b"\\\\" not in text else text[:cut])


def _open_escape(text: bytes) -> int:
    """Where an incomplete escape starts at the end of *text*; the length of *text* if there is none."""
    last = text.rfind(b"\\", max(0, len(text) - 6))
    if last < 0:
        return len(text)
    run = last + 1 - len(text[: last + 1].rstrip(b"\\"))
    after = text[last + 1 :]
    whole = len(after) >= 5 if after[:1] == b"u" else bool(after)
    return len(text) if whole or run % 2 == 0 else last


def _meaning(escape: re.Match[bytes]) -> bytes:
    """The character of one escape; ``?``, which no base64 holds, for any that base64 does not need."""
    code, char = escape.groups()
    if code is not None:
        value = int(code, 16)
        return bytes((value,)) if value < 128 else b"?"
    return _MEANT.get(char, b"?")
