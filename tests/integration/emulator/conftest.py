"""An emulator in the test's own loop, and a client of it."""

from __future__ import annotations

import aiohttp
import pytest

from pipeline.gemini.emulator import Emulator, Options
from tests.integration.emulator.calls import KEY, SMALL


@pytest.fixture
async def emulator():
    async with Emulator(Options(studio=SMALL)) as running:
        yield running


@pytest.fixture
async def http(emulator):
    async with aiohttp.ClientSession(emulator.url, headers=KEY) as session:
        yield session
