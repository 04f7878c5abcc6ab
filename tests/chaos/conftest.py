"""What the chaos suite shares: an emulator, a Redis and a proxy for all, a ground for each test."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import forkserver
from tests.chaos.emulator import Api, emulator_process
from tests.chaos.ground import Ground
from tests.chaos.proxy import Proxy
from tests.chaos.server import Server
from tests.chaos.waiting import until


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="the chaos suite with its big numbers: make chaos")
    parser.addoption("--chaos-seed", type=int, help="repeat what this seed has brought about")


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether the big numbers are wanted; without ``tests/chaos`` on the command line there is no such option."""
    return bool(request.config.getoption("--full", default=False))


@pytest.fixture
def only_in_full(full: bool) -> None:
    if not full:
        pytest.skip("takes minutes: pytest tests/chaos --full")


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance that can be repeated: a failed test shows its seed."""
    seed = request.config.getoption("--chaos-seed", default=None)
    seed = random.randrange(1_000_000) if seed is None else seed
    print(f"repeat it with --chaos-seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="session", autouse=True)
def _no_orphans() -> Iterator[None]:
    """Nothing that this suite has started outlives it."""
    forkserver.start()
    before = set(psutil.Process(os.getpid()).children(recursive=True))
    yield
    until(lambda: not list(_started_since(before)), 20, "what this suite has started to end")


def _started_since(before: set[psutil.Process]) -> Iterator[psutil.Process]:
    for process in set(psutil.Process(os.getpid()).children(recursive=True)) - before:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process


@pytest.fixture(scope="session")
def api(_no_orphans: None) -> Iterator[Api]:
    with emulator_process() as running:
        yield running


@pytest.fixture(scope="session")
def own_server(_no_orphans: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server
    server.close()


@pytest.fixture(scope="session")
def own_proxy(own_server: Server) -> Iterator[Proxy]:
    proxy = Proxy(own_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def server(own_server: Server) -> Server:
    """A Redis that runs and is empty."""
    own_server.anew()
    return own_server


@pytest.fixture
def proxy(own_proxy: Proxy) -> Proxy:
    """A way to Redis that is open."""
    own_proxy.anew()
    return own_proxy


@pytest.fixture
def make_ground(
    api: Api, server: Server, proxy: Proxy, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Ground]]:
    """Makes grounds; their processes end with the test, however it ends, and tell what they have said if it fails."""
    grounds: list[Ground] = []

    def make(name: str = "shop", **environment: str) -> Ground:
        folder = tmp_path / name
        folder.mkdir()
        grounds.append(Ground(folder, api, server, proxy.url, **environment))
        return grounds[-1]

    api.begin()
    yield make
    for ground in grounds:
        ground.processes.end()
        for name, said in ground.said():
            # pytest shows it only for a test that has failed.
            print(f"----- {name}\n{said[-2000:]}")
    api.order()
    proxy.anew()


@pytest.fixture
def ground(make_ground: Callable[..., Ground]) -> Ground:
    return make_ground()
