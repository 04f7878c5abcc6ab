"""What is written past the page cache is what was given, whatever its length and wherever it lies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from pipeline.store import DiskStore, directio

BLOCK, LEAST, PIECE = 4096, directio.LEAST, 256 << 10

SIZES = [0, 1, BLOCK, LEAST - 1, LEAST, LEAST + 1, PIECE + BLOCK, 4 * PIECE - 1, 4 * PIECE, 5_000_001]


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder on a disk, and one on a file system without blocks."""
    if request.param == "disk":
        return tmp_path
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("there is no /dev/shm here")
    return Path(tempfile.mkdtemp(dir="/dev/shm"))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("odd", [0, 13])
async def test_a_file_holds_what_was_put(folder: Path, size: int, odd: int) -> None:
    data = memoryview(bytearray(os.urandom(size + odd)))[odd:]
    assert await DiskStore(folder).put_new("a/picture.png", data)
    written = folder / "a" / "picture.png"
    assert written.read_bytes() == data
    written.unlink()


def test_an_open_file_is_left_as_it_was_opened(tmp_path: Path) -> None:
    file = os.open(tmp_path / "picture", os.O_CREAT | os.O_WRONLY)
    try:
        directio.write(file, memoryview(bytes(LEAST + 1)))
        assert os.write(file, b"odd") == 3
    finally:
        os.close(file)
    assert (tmp_path / "picture").stat().st_size == LEAST + 4
