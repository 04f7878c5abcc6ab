"""Verifies pictures from the API: one is accepted only after every pixel of it was decoded."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from typing import IO, cast

import msgspec

from pipeline.picture import decoder, png
from pipeline.picture.boxes import boxes_end
from pipeline.picture.decoder import BadPicture
from pipeline.picture.kind import HEAD, sniff
from pipeline.picture.sent import SentPicture

#: What an image model may answer with, and how its file ends. An answer cannot reach the decoders of TIFF and kin.
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/heif": "heif",
}


class VerifiedPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of which every pixel was decoded; *bytes* is its size, *extension* has no dot."""

    mime_type: str
    extension: str
    width: int
    height: int
    bytes: int
    sha256: str


def verify(data: bytes | bytearray | memoryview) -> VerifiedPicture:
    """Decode *data* whole and say what it is. Never copies *data*; costs the decoding and a hash.

    An animation is judged by its first frame. Bytes after the picture are let be. Call it in as many threads as
    there are cores and no more: glibc keeps what each thread has freed, 64 MB for a picture of 4K.

    Raises:
        BadPicture: *data* is no picture, cut off, damaged, or a decompression bomb.
    """
    view = memoryview(data)
    mime_type = sniff(bytes(view[:HEAD]))
    extension = EXTENSIONS.get(mime_type or "")
    if mime_type is None or extension is None:
        what = f"{mime_type}, no kind that an image model answers with" if mime_type else "nothing known"
        raise BadPicture(f"it is {what}" if view else "it is empty")
    file = io.BytesIO(data) if isinstance(data, bytes) else cast("IO[bytes]", _Window(view))
    width, height = (
        _decoded_png(file, view) if mime_type == "image/png" else _decoded(file, mime_type, len(view))
    )
    return VerifiedPicture(
        mime_type=mime_type,
        extension=extension,
        width=width,
        height=height,
        bytes=len(view),
        sha256=hashlib.sha256(view).hexdigest(),
    )


def is_unchanged(sha256: str, sent: Iterable[SentPicture]) -> bool:
    """Whether an answer with *sha256* is identical to a picture that was sent, or to its original."""
    return any(sha256 in (picture.sha256, picture.original_sha256) for picture in sent)


def _decoded(file: IO[bytes], mime_type: str, size: int) -> tuple[int, int]:
    if mime_type in ("image/heic", "image/heif") and boxes_end(file, size) > size:
        raise BadPicture("it is cut off")
    file.seek(0)
    return decoder.decode(file, mime_type, decoder.MAX_DECODED_PIXELS)


def _decoded_png(file: IO[bytes], view: memoryview) -> tuple[int, int]:
    with decoder.opened(file, "image/png", decoder.MAX_DECODED_PIXELS) as image:
        size = image.size
    if png.decodes(view):
        return size
    _check_png_end(view)
    if png.lacks_rows(view):
        raise BadPicture("it is cut off")
    return _decoded(file, "image/png", len(view))


def _check_png_end(view: memoryview) -> None:
    """Walk the chunks to ``IEND``: Pillow accepts a PNG whose last bytes are missing."""
    at = 8
    while at + 12 <= len(view):
        if bytes(view[at + 4 : at + 8]) == b"IEND":
            return
        at += 12 + int.from_bytes(view[at : at + 4], "big")
    raise BadPicture("it is cut off")


class _Window:
    """A file over a buffer. ``io.BytesIO`` copies everything except ``bytes``, and answers have megabytes."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def read(self, size: int | None = -1, /) -> bytes:
        end = len(self._view) if size is None or size < 0 else self._at + size
        piece = bytes(self._view[self._at : end])
        self._at += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0, /) -> int:
        start = (0, self._at, len(self._view))[whence]
        if start + offset < 0:
            raise ValueError("seek before the start")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at
