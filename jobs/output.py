"""Standard output, which is for data only, and standard error, for messages."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.errors import UsageError


def say(text: str) -> None:
    """Write a line to standard error; if the terminal is gone, nothing happens."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def write(data: bytes) -> None:
    """Bytes to standard output.

    Raises:
        BrokenPipeError: nobody reads it any more.
        UsageError: it cannot be written.
    """
    with _refusals():
        sys.stdout.buffer.write(data)


def write_line(text: str) -> None:
    """A line to standard output."""
    write(f"{text}\n".encode())


def write_json(value: Any) -> None:
    """*value* as one line of JSON."""
    write(msgspec.json.encode(value) + b"\n")


def flush() -> None:
    """Flush standard output; raises as :func:`write`."""
    with _refusals():
        sys.stdout.flush()


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        hush()
        raise UsageError(
            f"standard output cannot be written ({error.strerror}): the rest of it is lost"
        ) from error


def hush() -> None:
    """Discard the rest of the output, since nobody reads it, as after ``retouch results JOB | head``."""
    _to_nowhere(sys.stdout.fileno())


def let_go_of_the_terminal() -> None:
    """Discard output to a terminal that was closed; a file or a pipe is still written to."""
    for stream in (sys.stdout, sys.stderr):
        try:
            os.write(stream.fileno(), b"")
        except OSError:
            _to_nowhere(stream.fileno())


def open_what_is_closed() -> None:
    """Replace a standard stream that was closed at the start (``<&-``) by an empty one.

    Otherwise the next file that is opened would get its number, and receive what is meant for the stream.
    """
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            _to_nowhere(descriptor)
            setattr(sys, name, os.fdopen(descriptor, mode))


def _to_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
