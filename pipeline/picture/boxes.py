"""The boxes of an ISO media file (HEIC, AVIF and kin), as far as they say whether it is whole."""

from __future__ import annotations

from typing import IO


def boxes_end(file: IO[bytes], size: int) -> int:
    """Where the top-level boxes of *file*, which has *size* bytes, say that it ends; libheif looks at some only."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            break
        at += length
    return at
