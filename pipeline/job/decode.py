"""Files of ours that are not as they were written: a sentence that names the file, and never a guess."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.errors import JobError

T = TypeVar("T")


def decode_file(data: bytes, shape: type[T], where: str) -> T:
    """*data* as the JSON of a *shape*; *where* names the file.

    Raises:
        JobError: it is none.
    """
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.DecodeError as error:
        raise _damaged(where, error) from error


def decode_lines(data: bytes, decoder: msgspec.json.Decoder[T], where: str) -> list[T]:
    """*data* as lines of JSON; *where* names the file.

    Raises:
        JobError: they are none.
    """
    try:
        return decoder.decode_lines(data)
    except msgspec.DecodeError as error:
        raise _damaged(where, error) from error


def check_whole(lines: bytes, count: int, where: str) -> None:
    """See that *lines* are *count*, each with its end; *where* names the file.

    Raises:
        JobError: they are not.
    """
    if lines.count(b"\n") != count:
        raise _damaged(where, "it is cut off")


def _damaged(where: str, error: msgspec.DecodeError | str) -> JobError:
    return JobError(f"{where} is damaged ({error}): restore it, or start a new job")
