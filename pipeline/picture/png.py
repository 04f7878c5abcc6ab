"""A fast check of PNGs, the format of the API's answers.

Decoding a PNG means inflating its rows and adding neighbouring pixels. If every checksum, the length and the filter
of each row are right, only inflating can fail; so a picture that passes here can be decoded. ISA-L inflates in a
third of the time of Pillow's zlib, and no pixels need to be kept. A picture that does not pass, or is not plain (a
palette, interlacing, frames), is left to Pillow. There is only one fault that Pillow misses: missing rows in a stream
that ends correctly.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

from isal import isal_zlib

#: The stubs call it a value.
IsalError: type[Exception] = isal_zlib.error  # type: ignore[assignment]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Bits per pixel by colour type and bits per sample, for plain pictures (PNG specification, 11.2.2).
_BITS = {(0, 8): 8, (0, 16): 16, (2, 8): 24, (2, 16): 48, (4, 8): 16, (4, 16): 32, (6, 8): 32, (6, 16): 64}

#: Samples per pixel by colour type.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: First column, first row, and the steps to the next ones in each pass of an interlaced picture (8.2).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

#: The critical chunks of a plain picture; any other one changes how to decode it.
_KNOWN = frozenset({b"IHDR", b"IDAT", b"IEND"})
_FRAMES = b"acTL"

_FILTERS = bytes(range(5))
#: Bytes inflated in one call. Each call releases the interpreter's lock and must get it back from the event loop,
#: which costs more than inflating one of the small chunks in a picture.
_TAKEN = 1 << 18
#: Bytes that one call may produce; a bomb would produce a thousand times as many.
_MADE = 1 << 19


def decodes(view: memoryview) -> bool:
    """Whether *view* is a complete plain PNG, with every checksum, length and filter right."""
    row, rows = _layout(view)
    if not row:
        return False
    inflating = _Rows(row, rows)
    try:
        return all(map(inflating.take, _compressed(view))) and inflating.complete
    except _NotPlain:
        return False


def lacks_rows(view: memoryview) -> bool:
    """Whether the pixels of a PNG of any kind end early; Pillow would leave the rest black.

    False if it is damaged in another way, which Pillow detects.
    """
    inflate: _Inflate = isal_zlib.decompressobj()
    missing = _inflated_size(view)
    try:
        for kind, data in _chunks(view):
            for at in range(0, len(data) if kind == b"IDAT" else 0, _TAKEN):
                rest: bytes | memoryview = data[at : at + _TAKEN]
                while rest and missing > 0:
                    missing -= len(inflate.decompress(rest, _MADE))
                    rest = inflate.unconsumed_tail
    except (IsalError, _NotPlain):
        return False
    return missing > 0


def _inflated_size(view: memoryview) -> int:
    """Bytes that the pixels of a PNG inflate to, a filter before each row; 0 for an unknown colour type."""
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", view[16:29])
    bits = depth * _SAMPLES.get(colour, 0)
    passes = _PASSES if interlace else ((0, 0, 1, 1),)
    sizes = (
        (len(range(left, width, across)), len(range(top, height, down))) for left, top, across, down in passes
    )
    return sum(rows * ((columns * bits + 7) // 8 + 1) for columns, rows in sizes if columns) if bits else 0


def _layout(view: memoryview) -> tuple[int, int]:
    """Bytes per row, including its filter, and the number of rows; 0 bytes if the picture is not plain."""
    if len(view) < 33 or bytes(view[:8]) != SIGNATURE or bytes(view[12:16]) != b"IHDR":
        return 0, 0
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", view[16:29])
    bits = 0 if packing or filtering or interlace else _BITS.get((colour, depth), 0)
    return ((width * bits + 7) // 8 + 1 if bits and width and height else 0), height


def _compressed(view: memoryview) -> Iterator[bytes | memoryview]:
    """The picture's compressed bytes in pieces of about :data:`_TAKEN`, after checking each chunk's checksum.

    Raises:
        _NotPlain: a checksum is wrong, the end is missing, or there are chunks that change how to decode it.
    """
    pieces: list[memoryview] = []
    for kind, data in _chunks(view):
        if kind == b"IDAT":
            for at in range(0, len(data), _TAKEN):
                pieces.append(data[at : at + _TAKEN])
                if sum(map(len, pieces)) >= _TAKEN:
                    yield b"".join(pieces)
                    pieces.clear()
        elif kind == _FRAMES or (kind[:1].isupper() and kind not in _KNOWN):
            raise _NotPlain
    yield b"".join(pieces)


def _chunks(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and data of each chunk up to ``IEND``."""
    at = 8
    while at + 12 <= len(view):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        kind = bytes(view[at + 4 : at + 8])
        if isal_zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise _NotPlain
        if kind == b"IEND":
            return
        yield kind, view[at + 8 : end]
        at = end + 4
    raise _NotPlain


class _Inflate(Protocol):
    eof: bool
    unconsumed_tail: bytes

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes: ...


class _NotPlain(Exception):  # noqa: N818 - it says what was met
    """The picture is left to Pillow."""


class _Rows:
    """Inflates a picture's rows, without keeping them."""

    def __init__(self, row: int, rows: int) -> None:
        self._row, self._size = row, row * rows
        self._inflate: _Inflate = isal_zlib.decompressobj()
        self._made = 0

    @property
    def complete(self) -> bool:
        """Whether the stream has ended correctly after the last row."""
        return self._inflate.eof and self._made == self._size

    def take(self, data: bytes | memoryview) -> bool:
        """Inflate the next *data*; false if it is damaged, has an unknown filter, or produces too much."""
        try:
            while True:
                made = self._inflate.decompress(data, _MADE)
                # The filter is the first byte of each row.
                if made[-self._made % self._row :: self._row].translate(None, _FILTERS):
                    return False
                self._made += len(made)
                if self._made > self._size:
                    return False
                data = self._inflate.unconsumed_tail
                if len(made) < _MADE:
                    return not data
        except IsalError:
            return False
