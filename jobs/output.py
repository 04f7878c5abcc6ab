"""Standard output, which is for data alone; talk goes to standard error."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.errors import UsageError


def say(text: str) -> None:
    """A line for the person at the terminal, who may have gone: then nobody hears it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def write(data: bytes) -> None:
    """Bytes to standard output.

    Raises:
        BrokenPipeError: nobody reads on.
        UsageError: it leads to where nothing can be written.
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
    """Hand over what was written; raises as :func:`write`."""
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
    """Nobody reads on, as in ``retouch results JOB | head``: what is still to come goes nowhere, quietly."""
    _to_nowhere(sys.stdout.fileno())


def let_go_of_the_terminal() -> None:
    """The terminal is closed: what was still to be said on it goes nowhere; a file or a pipe is still written to."""
    for stream in (sys.stdout, sys.stderr):
        try:
            os.write(stream.fileno(), b"")
        except OSError:
            _to_nowhere(stream.fileno())


def open_what_is_closed() -> None:
    """Give a process that was started without one of the standard streams (``<&-``) an empty one in its place.

    Else the next file that is opened would take its number, and be written to by whoever means the stream.
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
