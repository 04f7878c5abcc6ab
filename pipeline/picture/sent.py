"""Prepares pictures for a call: a file of a type that the API accepts, with its size, hash and dimensions.

PNG, JPEG, WebP, HEIC and HEIF are sent unchanged, and only their headers are read. Other pictures are converted
into the spool folder; see :mod:`pipeline.picture.convert`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

import msgspec

from pipeline.errors import InvalidInput
from pipeline.picture import convert, decoder
from pipeline.picture.boxes import boxes_end
from pipeline.picture.decoder import BadPicture
from pipeline.picture.header import size_in
from pipeline.picture.kind import CONVERTED, HEAD, check_kind, sniff

#: Bytes of the largest picture, and of all pictures of a row: what Google's image models accept in one request,
#: including files (gemini-api.md 1.2). The Files API itself would accept 2 GB per file (gemini-api.md 6).
MAX_BYTES = 500_000_000
#: Larger pictures are read and copied one at a time, because some decoders load the whole file for its header.
LARGE = 64 << 20

_one_large_at_a_time = threading.Lock()

#: The end of a complete file, and in how many last bytes to look for it, because cameras append data to a JPEG.
_ENDS = {"image/png": (b"IEND", 64), "image/jpeg": (b"\xff\xd9", 65_536)}

#: Errors of the machine rather than of a picture.
_MACHINE = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
        errno.ENODEV,
        errno.ENXIO,
    }
)


class SentPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is ready to be sent.

    Attributes:
        path: the file to read: the picture itself, or its conversion in the spool folder.
        mime_type: type of that file; one that the API accepts.
        bytes: size of that file.
        sha256: hash of that file, in hex.
        width: in pixels as stored; a JPEG's orientation tag is left to the API, since the file is sent unchanged.
        height: in pixels as stored.
        original_sha256: hash of the picture that the row names, for the record.
        original_mime_type: type of the picture that the row names.
        temporary: *path* is in the spool folder, and :func:`discard` must remove it.
        first_of_several: the picture that the row names has more frames or pages, which are not sent.
    """

    path: Path
    mime_type: str
    bytes: int
    sha256: str
    width: int
    height: int
    original_sha256: str
    original_mime_type: str
    temporary: bool = False
    first_of_several: bool = False


def prepare(path: Path, spool: Path, *, name: str | None = None) -> SentPicture:
    """Prepare the picture at *path* for sending; *name* is its name in messages.

    This blocks on the disk, so call it in a thread. Conversions are put into *spool*.

    Raises:
        InvalidInput: it can never be sent: ``missing``, ``empty``, ``not_a_picture``, ``audio_or_video``,
            ``unsupported``, ``too_large``, ``bomb`` or ``unreadable``.
        OSError: the machine is at fault, not the picture: too many open files, a disk that has disappeared.
        StoreError: the spool folder refused the conversion.
    """
    shown = name or str(path)
    try:
        with regular_file(path, shown) as (file, size):
            mime_type = admit(file.read(HEAD), size, shown)
            sha256 = _sha256(file)
            with _one_large_at_a_time if size > LARGE else nullcontext():
                if mime_type in CONVERTED:
                    return _converted(file, mime_type, sha256, spool)
                width, height = _measured(file, mime_type, size)
    except BadPicture as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _MACHINE:
            raise error.__cause__ from error
        raise _refused(error, shown) from error
    return SentPicture(
        path=path,
        mime_type=mime_type,
        bytes=size,
        sha256=sha256,
        width=width,
        height=height,
        original_sha256=sha256,
        original_mime_type=mime_type,
    )


def discard(pictures: Iterable[SentPicture]) -> None:
    """Remove the files of *pictures* from the spool folder; may be called again."""
    for picture in pictures:
        if picture.temporary:
            with suppress(OSError):
                picture.path.unlink()


@contextmanager
def regular_file(path: Path | str, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open *path*; the file and its size in bytes. Folders, pipes and devices are refused without waiting for them.

    Raises:
        InvalidInput: ``missing``, ``not_a_picture`` or ``unreadable``.
    """
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except (OSError, ValueError) as error:
        raise open_refused(error, name) from error
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise InvalidInput("not_a_picture", f"{name} is not a file: use a picture file")
        yield file, status.st_size


def admit(head: bytes, size: int, name: str) -> str:
    """The type of a file of *size* bytes that begins with *head*, if it can be sent as far as these tell.

    Raises:
        InvalidInput: ``empty``, ``not_a_picture``, ``audio_or_video``, ``unsupported``, ``too_large`` or ``bomb``.
    """
    if not size:
        raise InvalidInput("empty", f"{name} is empty: copy the picture again")
    mime_type = check_kind(sniff(head), name)
    _check_bytes(size, name)
    pixels = size_in(head, mime_type)
    if pixels:
        limit = decoder.MAX_DECODED_PIXELS if mime_type in CONVERTED else decoder.MAX_PIXELS
        try:
            decoder.check_pixels(*pixels, limit)
        except BadPicture as error:
            raise _refused(error, name) from error
    return mime_type


def _refused(error: BadPicture, name: str) -> InvalidInput:
    mend = "save it again as PNG or JPEG, smaller if need be"
    return InvalidInput(error.code, f"{name} cannot be sent: {error.reason}; {mend}")


def open_refused(error: OSError | ValueError, name: str) -> InvalidInput:
    """Why the system did not open *name*.

    Raises:
        OSError: *error* again, if it is a fault of the machine and not of the file.
    """
    code = getattr(error, "errno", None)
    if code in _MACHINE:
        raise error
    if code in (errno.ENOENT, errno.ENOTDIR):
        return InvalidInput("missing", f"{name} does not exist: correct the path, or add the file")
    if code in (errno.EACCES, errno.EPERM):
        return InvalidInput("unreadable", f"{name} cannot be read: give this user permission to read it")
    if code == errno.EISDIR:
        return InvalidInput("not_a_picture", f"{name} is a folder: use a picture file")
    why = getattr(error, "strerror", None) or "its name cannot be a file's"
    return InvalidInput("unreadable", f"{name[:200]} cannot be opened ({why}): correct the path")


def _check_bytes(size: int, name: str) -> None:
    if size > MAX_BYTES:
        limit = f"a row may send {MAX_BYTES / 1e6:.0f} MB"
        raise InvalidInput("too_large", f"{name} has {size / 1e6:.1f} MB, and {limit}: make it smaller")


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return digest


def _converted(file: IO[bytes], mime_type: str, sha256: str, spool: Path) -> SentPicture:
    png = convert.to_png(file, mime_type, spool)
    try:
        size = png.path.stat().st_size
        _check_bytes(size, f"{png.path.name}, converted to PNG,")
        with png.path.open("rb") as result:
            digest = _sha256(result)
    except BaseException:
        png.path.unlink(missing_ok=True)
        raise
    return SentPicture(
        path=png.path,
        mime_type="image/png",
        bytes=size,
        sha256=digest,
        width=png.width,
        height=png.height,
        original_sha256=sha256,
        original_mime_type=mime_type,
        temporary=True,
        first_of_several=png.first_of_several,
    )


def _measured(file: IO[bytes], mime_type: str, size: int) -> tuple[int, int]:
    """Width and height from the header. A file that seems to be cut off is decoded completely, to be sure."""
    doubtful = _seems_cut_off(file, mime_type, size)
    file.seek(0)
    if doubtful:
        return decoder.decode(file, mime_type, decoder.MAX_DECODED_PIXELS)
    with decoder.opened(file, mime_type, decoder.MAX_PIXELS) as image:
        return image.size


def _seems_cut_off(file: IO[bytes], mime_type: str, size: int) -> bool:
    """Whether the file does not end as it should; takes a few short reads. For WebP, the header is enough."""
    if mime_type in ("image/heic", "image/heif"):
        return boxes_end(file, size) > size
    end = _ENDS.get(mime_type)
    if end is None:
        return False
    mark, tail = end
    file.seek(max(0, size - tail))
    return mark not in file.read(tail)
