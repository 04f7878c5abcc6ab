"""What the tests of a local run share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.gemini.emulator import Emulator, Options, Studio, in_thread
from tests.integration.shop import Shop


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator that paints quickly, in a thread of this process."""
    with in_thread(Options(studio=Studio(shrink=6, format="jpeg"))) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, emulator: Emulator) -> Iterator[Shop]:
    """A folder with the installed command, whose API is the emulator."""
    shop = Shop(tmp_path, emulator.url)
    yield shop
    # A worker that a failed test has left would take the messages of those that follow.
    for command in shop.started:
        command.kill()
