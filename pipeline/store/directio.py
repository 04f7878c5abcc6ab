"""Writes large files past the page cache, if the system can.

A job writes gigabytes that it never reads again. In the page cache they would take memory from other programs (and,
in a container, count against its limit), and CPU time: 4 to 5 ms for a picture of 2 MB on a virtual machine, instead
of 0.3 ms (see ``benchmarks``). The result is the same.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading

#: Smaller files are written normally: a few kilobytes in the page cache cost nothing.
LEAST = 256 << 10
#: Length and position of every direct write are multiples of this; no disk has larger blocks.
_BLOCK = 4096
_PIECE = 256 << 10
_DIRECT = getattr(os, "O_DIRECT", 0)
#: Errors of file systems without direct I/O (tmpfs, some network file systems).
_CANNOT = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


class _Buffers(threading.local):
    """An aligned buffer for each thread that writes, because the bytes of an answer are not aligned."""

    def __init__(self) -> None:
        self.piece = memoryview(mmap.mmap(-1, _PIECE))


_buffers = _Buffers()


def write(file: int, data: memoryview) -> None:
    """Write all of *data* into the empty, open *file*; with ``os.write`` if there is no direct I/O.

    Raises:
        OSError: the system could not write.
    """
    done = _write_direct(file, data) if _DIRECT and len(data) >= LEAST else 0
    while done < len(data):
        done += os.write(file, data[done:])


def _write_direct(file: int, data: memoryview) -> int:
    """Write the complete blocks of *data*; how many bytes that was."""
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    done, end = 0, len(data) // _BLOCK * _BLOCK
    piece = _buffers.piece
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, flags | _DIRECT)
        while done < end:
            size = min(_PIECE, end - done)
            piece[:size] = data[done : done + size]
            done += os.write(file, piece[:size])
            if done % _BLOCK:
                break
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    finally:
        fcntl.fcntl(file, fcntl.F_SETFL, flags)
    return done
