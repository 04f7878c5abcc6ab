"""A real Flower beside a real worker that sends events."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.crew import Crew, free_port, wait_for


@pytest.fixture
def crew(tmp_path, emulator, redis_url) -> Iterator[Crew]:
    crew = Crew(tmp_path, emulator, redis_url, RETOUCH_EVENTS="1")
    yield crew
    crew.end()


@pytest.fixture
def flower(crew) -> Iterator[httpx.Client]:
    """Flower's own API."""
    port = free_port()
    words = ["--app", "workers.flower", "flower", f"--port={port}", "--address=127.0.0.1"]
    environment = crew.environment | {
        "FLOWER_UNAUTHENTICATED_API": "true",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with (
        subprocess.Popen(
            [sys.executable, "-m", "celery", *words],
            cwd=crew.folder,
            env=environment,
            stderr=subprocess.DEVNULL,
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client,
    ):
        wait_for(lambda: _answers(client))
        yield client
        process.terminate()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/tasks").is_success
    except httpx.TransportError:
        return False


def test_flower_sees_workers_and_shards(crew, flower):
    worker = crew.worker(4)
    wait_for(lambda: list(flower.get("/api/workers?status=1").json().values()) == [True])
    crew.manifest(2)
    job = crew.submit()
    crew.to_its_end(job)
    wait_for(lambda: [task["state"] for task in flower.get("/api/tasks").json().values()] == ["SUCCESS"])
    (task,) = flower.get("/api/tasks").json().values()
    assert (task["name"], task["args"]) == ("retouch.shard", f"('{job}', 1)")
    worker.terminate()
    worker.communicate(timeout=60)
    wait_for(lambda: list(flower.get("/api/workers?status=1").json().values()) == [False])
