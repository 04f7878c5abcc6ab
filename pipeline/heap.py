"""How a process that works on many pictures at once keeps its memory.

glibc gives every thread a heap of its own, none of which can use what another has freed, and returns the memory of
every picture to the system to ask for it again with the next one. On two cores and 64 calls in flight that cost 10 MB
of 118, and 2 ms of 26 a call: 286 page faults in place of 86 (pictures of 1 MB in and 2 MB out).
"""

from __future__ import annotations

import ctypes

# The numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8

#: What is larger goes back to the system at once: a heap would copy it each time it grows.
_LARGE = 4 << 20
#: As much may lie free at the heap's end: the pictures of all answers that are read at once.
_SPARE = 32 << 20


def share_one_heap() -> None:
    """Let all threads that begin from now on share one heap, and keep what they free; does nothing without glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_TRIM_THRESHOLD, _SPARE)
