"""Threads of a process that works share one heap."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

#: Prints how many heaps glibc has after as many threads were at work as there would be heaps on one core.
_HEAPS = """
import ctypes, threading
from pipeline.heap import share_one_heap
if {shared}: share_one_heap()
together = threading.Barrier(8)
def work():
    bytearray(100_000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def heaps(*, shared: bool) -> int:
    code = _HEAPS.format(shared=shared)
    return subprocess.check_output([sys.executable, "-c", code], text=True).count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps of threads are glibc's")
def test_threads_share_one_heap():
    assert heaps(shared=False) > 1
    assert heaps(shared=True) == 1
