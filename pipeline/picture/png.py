"""A quick yes for PNG, which is what the API answers with.

Decoding a PNG is inflating its rows and adding neighbours to them. Only the first can fail, once every checksum,
the length and each row's filter are known to be right; so a picture that passes here would decode. ISA-L inflates
in a third of the time of Pillow's zlib, and no pixels have to be kept. What does not pass, or is not plain (a
palette, interlacing, frames), is left for Pillow to judge: this module never says no.
"""

from __future__ import annotations

import struct
from typing import Protocol

from isal import isal_zlib

#: The stubs call it a value.
IsalError: type[Exception] = isal_zlib.error  # type: ignore[assignment]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Bits a pixel by colour type and bits a sample, of the kinds that are plain (PNG specification, 11.2.2).
_BITS = {(0, 8): 8, (0, 16): 16, (2, 8): 24, (2, 16): 48, (4, 8): 16, (4, 16): 32, (6, 8): 32, (6, 16): 64}

#: Chunks that change what decoding means; with any other critical one the picture is not plain.
_KNOWN = frozenset({b"IHDR", b"IDAT", b"IEND"})
_FRAMES = b"acTL"

_FILTERS = bytes(range(5))
_PIECE = 1 << 18


def decodes(view: memoryview) -> bool:
    """Whether *view* holds a plain PNG that is whole and right in every checksum, length and filter."""
    row, rows = _layout(view)
    return row > 0 and _rows_are_right(view, row, rows)


def _layout(view: memoryview) -> tuple[int, int]:
    """Bytes a row, its filter included, and how many rows; 0 for what is not plain."""
    if len(view) < 33 or bytes(view[:8]) != SIGNATURE or bytes(view[12:16]) != b"IHDR":
        return 0, 0
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", view[16:29])
    bits = 0 if packing or filtering or interlace else _BITS.get((colour, depth), 0)
    return ((width * bits + 7) // 8 + 1 if bits and width and height else 0), height


def _rows_are_right(view: memoryview, row: int, rows: int) -> bool:
    inflate: _Inflate = isal_zlib.decompressobj()
    made, at = 0, 8
    try:
        while at + 12 <= len(view):
            end = at + 8 + int.from_bytes(view[at : at + 4], "big")
            kind = bytes(view[at + 4 : at + 8])
            if isal_zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
                return False
            if kind == b"IEND":
                return bool(inflate.eof) and made == row * rows
            if kind == b"IDAT":
                made = _inflated(inflate, view[at + 8 : end], made, row, rows)
            elif kind == _FRAMES or (kind[:1].isupper() and kind not in _KNOWN):
                return False
            at = end + 4
    except (IsalError, _WrongRow):
        pass
    return False


class _Inflate(Protocol):
    eof: bool
    unconsumed_tail: bytes

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes: ...


class _WrongRow(Exception):  # noqa: N818 - it says what was met
    """A filter that does not exist, or more rows than there should be."""


def _inflated(inflate: _Inflate, data: memoryview, made: int, row: int, rows: int) -> int:
    """Inflate one chunk's *data*, a piece at a time; how many bytes are made by then."""
    piece = inflate.decompress(data, _PIECE)
    while piece:
        # The filter is the first byte of each row.
        if piece[-made % row :: row].translate(None, _FILTERS) or made + len(piece) > row * rows:
            raise _WrongRow
        made += len(piece)
        piece = inflate.decompress(inflate.unconsumed_tail, _PIECE)
    return made
