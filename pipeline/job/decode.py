"""Decodes our own files; a damaged one is an error that names the file, never a guess."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.errors import JobError

T = TypeVar("T")


def decode_file(data: bytes, shape: type[T], where: str) -> T:
    """*data*, the JSON of a *shape*; *where* names the file.

    Raises:
        JobError: it is damaged.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.DecodeError as error:
        raise _damaged(where, error) from error


def decode_lines(data: bytes, decoder: msgspec.json.Decoder[T], where: str) -> list[T]:
    """*data*, lines of JSON; *where* names the file.

    Raises:
        JobError: it is damaged.
    """
    try:
        return decoder.decode_lines(data)
    except msgspec.DecodeError as error:
        raise _damaged(where, error) from error


def check_whole(lines: bytes, count: int, where: str) -> None:
    """Make sure that there are *count* complete *lines*; *where* names the file.

    Raises:
        JobError: there are fewer.
    """
    if lines.count(b"\n") != count:
        raise _damaged(where, "it is cut off")


def _damaged(where: str, error: msgspec.DecodeError | str) -> JobError:
    return JobError(f"{where} is damaged ({error}): restore it, or start a new job")
