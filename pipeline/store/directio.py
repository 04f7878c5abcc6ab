"""Large files written past the page cache, where the system can.

A job writes gigabytes that it never reads again. Through the page cache each megabyte costs pages that are taken from
other programs (and, in a container, from its memory limit), and CPU to fill them: 4 to 5 ms for a picture of 2 MB on
a virtual machine, where 0.3 ms is enough (``benchmarks`` compare). What is written is the same.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading

#: Files smaller than this go the usual way: a page cache of a few kilobytes costs nothing.
LEAST = 256 << 10
#: Length and place of every direct write are multiples of this: no disk has larger blocks.
_BLOCK = 4096
_PIECE = 256 << 10
_DIRECT = getattr(os, "O_DIRECT", 0)
#: How file systems say that they cannot (tmpfs, some network file systems).
_CANNOT = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


class _Buffers(threading.local):
    """One aligned buffer for each thread that writes: the bytes of an answer lie where they happen to lie."""

    def __init__(self) -> None:
        self.piece = memoryview(mmap.mmap(-1, _PIECE))


_buffers = _Buffers()


def write(file: int, data: memoryview) -> None:
    """Write all of *data* at the start of the empty, open *file*; as ``os.write`` where direct I/O is not to be had.

    Raises:
        OSError: the system could not write.
    """
    done = _write_direct(file, data) if _DIRECT and len(data) >= LEAST else 0
    while done < len(data):
        done += os.write(file, data[done:])


def _write_direct(file: int, data: memoryview) -> int:
    """Write the whole blocks of *data*; how many bytes that made."""
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
