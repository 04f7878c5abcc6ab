"""Bytes and physical lines of one manifest file, bounded in memory, with damage named in one sentence."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import msgspec

from pipeline.errors import ManifestError

#: Characters of a line, and of a row, above which it is a fault: a quote that is never closed, or data
#: that unpacks to gigabytes, must not be held in memory.
LONGEST = 1 << 20

HEAD = 4096


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """Size and hash by which a change of the manifest shows."""

    bytes: int
    sha256: str


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A regular file; *shown* is what people call it, *zipped* that it is gzip data."""

    path: Path
    shown: str
    zipped: bool = False

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The content's bytes, unpacked; whatever goes wrong while reading is a ManifestError."""
        try:
            with self.path.open("rb") as plain:
                yield cast("BinaryIO", gzip.GzipFile(fileobj=plain)) if self.zipped else plain
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ManifestError(
                f"{self.shown}: the gzip data is truncated or damaged ({error}); create or copy it again."
            ) from error
        except OSError as error:
            raise ManifestError(f"{self.shown} cannot be read: {error.strerror or error}.") from error

    def lines(self) -> Iterator[str]:
        """Physical lines with their ends (LF, CRLF or CR), without the byte-order mark.

        A line longer than :data:`LONGEST` comes cut to one character more than that; bytes that are not UTF-8
        come as lone surrogates, so that the fault can name the row they are in (:func:`bad_byte`).
        """
        with self.opened() as stream:
            # newline="": ends are found but kept, as line breaks inside quotes are the prompt's own.
            text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")
            line = text.readline(LONGEST + 1).removeprefix("\ufeff")
            while line:
                yield line
                if len(line) > LONGEST:
                    _skip_rest(text, line)
                line = text.readline(LONGEST + 1)

    def head(self) -> bytes:
        """The first bytes, unpacked."""
        with self.opened() as stream:
            return stream.read(HEAD)

    def fingerprint(self) -> Fingerprint:
        """Of the bytes as they lie on disk."""
        plain = msgspec.structs.replace(self, zipped=False)
        digest = hashlib.sha256()
        size = 0
        with plain.opened() as stream:
            while chunk := stream.read(1 << 18):
                digest.update(chunk)
                size += len(chunk)
        return Fingerprint(bytes=size, sha256=digest.hexdigest())


def _skip_rest(text: TextIO, line: str) -> None:
    while line and not line.endswith(("\n", "\r")):
        line = text.readline(LONGEST)


def bad_byte(text: str) -> int | None:
    """The first byte in *text* (from :meth:`File.lines`) that was not UTF-8."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return ord(text[error.start]) & 0xFF
    return None


def without_bad_bytes(text: str) -> str:
    """*text* with U+FFFD for what was not UTF-8, so that it can be written to JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def bad_byte_message(byte: int) -> str:
    """What *byte* says of the file's encoding, and the mend."""
    meant = bytes([byte]).decode("cp1252", "replace")
    guess = "" if meant == "\ufffd" else f'; in cp1252 (Windows-1252) it would be "{meant}"'
    return f"byte 0x{byte:02X} is not UTF-8{guess}: save the manifest as UTF-8 (Excel: CSV UTF-8)."
