"""Width and height from the first 64 bytes of a file, for formats that have them there. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable


def size_in(head: bytes, mime_type: str) -> tuple[int, int] | None:
    """Width and height in pixels of a picture that begins with *head*; ``None`` if *head* does not contain them."""
    read = _READERS.get(mime_type)
    try:
        return read(head) if read else None
    except struct.error:
        return None


def _png(head: bytes) -> tuple[int, int] | None:
    return struct.unpack_from(">II", head, 16) if head[12:16] == b"IHDR" else None


def _gif(head: bytes) -> tuple[int, int]:
    return struct.unpack_from("<HH", head, 6)


def _bmp(head: bytes) -> tuple[int, int]:
    if head[14:15] == b"\x0c":
        return struct.unpack_from("<HH", head, 18)
    width, height = struct.unpack_from("<ii", head, 18)
    # The height is negative if rows go from top to bottom.
    return abs(width), abs(height)


def _webp(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", head, 21)
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
    return None


def _psd(head: bytes) -> tuple[int, int]:
    height, width = struct.unpack_from(">II", head, 14)
    return width, height


def _tga(head: bytes) -> tuple[int, int]:
    return struct.unpack_from("<HH", head, 12)


def _pcx(head: bytes) -> tuple[int, int]:
    left, top, right, bottom = struct.unpack_from("<HHHH", head, 4)
    return right - left + 1, bottom - top + 1


def _sgi(head: bytes) -> tuple[int, int]:
    return struct.unpack_from(">HH", head, 6)


def _qoi(head: bytes) -> tuple[int, int]:
    return struct.unpack_from(">II", head, 4)


_READERS: dict[str, Callable[[bytes], tuple[int, int] | None]] = {
    "image/png": _png,
    "image/gif": _gif,
    "image/bmp": _bmp,
    "image/webp": _webp,
    "image/vnd.adobe.photoshop": _psd,
    "image/x-tga": _tga,
    "image/x-pcx": _pcx,
    "image/x-sgi": _sgi,
    "image/qoi": _qoi,
}
