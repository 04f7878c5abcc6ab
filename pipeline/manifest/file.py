"""Bytes and lines of a manifest file, in bounded memory; damage is named in one sentence."""

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

#: Characters that a line, and a row, may have: a quote that is never closed, or data that unpacks to gigabytes, must
#: not fill the memory.
LONGEST = 1 << 20

HEAD = 4096


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """Size and hash that show whether a manifest has changed."""

    bytes: int
    sha256: str


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A regular file; *shown*: its name in messages; *zipped*: it is gzip data."""

    path: Path
    shown: str
    zipped: bool = False

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The unpacked contents; whatever goes wrong while reading raises ManifestError."""
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
        """The lines with their ends (LF, CRLF or CR), without the byte-order mark.

        A line longer than :data:`LONGEST` is cut to one character more than that. Bytes that are not UTF-8 become
        lone surrogates, so that a fault can name their row (:func:`bad_byte`).
        """
        with self.opened() as stream:
            # newline="": line ends are recognised but kept, because those inside quotes belong to the prompt.
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
        """Size and hash of the bytes on disk."""
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
    """The first byte in *text* (from :meth:`File.lines`) that was not UTF-8; ``None`` if there is none."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return ord(text[error.start]) & 0xFF
    return None


def without_bad_bytes(text: str) -> str:
    """*text* with U+FFFD instead of what was not UTF-8, so that it can be written as JSON."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def bad_byte_message(byte: int) -> str:
    """A message about *byte*, which is not UTF-8, with its likely meaning and the fix."""
    meant = bytes([byte]).decode("cp1252", "replace")
    guess = "" if meant == "\ufffd" else f'; in cp1252 (Windows-1252) it would be "{meant}"'
    return f"byte 0x{byte:02X} is not UTF-8{guess}: save the manifest as UTF-8 (Excel: CSV UTF-8)."
