"""The machine-readable mark in the corner of every picture, which identifies its request.

It consists of blocks of 8x8 pixels, black for 0 and white for 1, from the top left corner. They are aligned with
JPEG's own grid, so that they survive PNG and any JPEG. With a magic byte, the length, the text and a checksum, a
picture without a mark or with a damaged one reads as None, and never as another token.
"""

from __future__ import annotations

import binascii
import io

from PIL import Image

BLOCK = 8
MAX_COLUMNS = 32
MAX_TOKEN_BYTES = 44
_MAGIC = 0xA7
_HEAD = 2
_CHECK = 4


def paint_mark(picture: Image.Image, token: str) -> bool:
    """Paint the token into the picture; False if the picture is too small to hold it."""
    data = token.encode()[:MAX_TOKEN_BYTES]
    frame = bytes([_MAGIC, len(data)]) + data
    frame += binascii.crc32(frame).to_bytes(_CHECK, "big")
    columns = _columns(picture.width)
    bits = "".join(f"{byte:08b}" for byte in frame)
    if not columns or -(-len(bits) // columns) * BLOCK > picture.height:
        return False
    bits += "0" * (-len(bits) % columns)
    blocks = Image.frombytes(
        "L", (columns, len(bits) // columns), bytes(255 if bit == "1" else 0 for bit in bits)
    )
    size = (blocks.width * BLOCK, blocks.height * BLOCK)
    picture.paste(blocks.resize(size, Image.Resampling.NEAREST), (0, 0))
    return True


def read_mark(image_bytes: bytes) -> str | None:
    """The token in an encoded picture; None if it has none, or a damaged one."""
    try:
        with Image.open(io.BytesIO(image_bytes)) as picture:
            return _read(picture)
    except (OSError, ValueError, SyntaxError):
        return None


def _read(picture: Image.Image) -> str | None:
    columns = _columns(picture.width)
    bits_needed = (_HEAD + MAX_TOKEN_BYTES + _CHECK) * 8
    rows = min(-(-bits_needed // columns), picture.height // BLOCK) if columns else 0
    if not rows:
        return None
    corner = picture.crop((0, 0, columns * BLOCK, rows * BLOCK)).convert("L")
    values = corner.reduce(BLOCK).tobytes()
    bits = "".join("1" if value > 127 else "0" for value in values)
    frame = bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits) - 7, 8))
    if len(frame) < _HEAD or frame[0] != _MAGIC:
        return None
    end = _HEAD + frame[1]
    if int.from_bytes(frame[end : end + _CHECK], "big") != binascii.crc32(frame[:end]):
        return None
    return frame[_HEAD:end].decode("utf-8", "replace")


def _columns(width: int) -> int:
    return min(MAX_COLUMNS, width // BLOCK)
