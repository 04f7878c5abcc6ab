"""A real worker and a real scheduler whose event loops stand still: who asks over HTTP is told of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pipeline.gemini.emulator import rule
from tests.integration.crew import Crew, free_port, wait_for


@pytest.fixture
def crew(tmp_path, emulator, redis_url):
    crew = Crew(tmp_path, emulator, redis_url)
    yield crew
    crew.end()


class Watched:
    """A part of the program that serves its health."""

    def __init__(self, crew: Crew, *words: str) -> None:
        self.port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)
        self.crew = crew
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.stuck", *words, "--metrics-port", str(self.port)],
            cwd=Path(__file__).parents[2],
            env=crew.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def health(self) -> httpx.Response:
        return self.http.get("/healthz")

    def metric(self, name: str) -> float:
        page = self.http.get("/metrics").text
        (found,) = [line for line in page.splitlines() if line.startswith(f"{name} ")]
        return float(found.split()[1])

    def probed(self) -> int:
        return self.crew.retouch("probe", "--metrics-port", str(self.port)).returncode


def is_up(watched: Watched) -> bool:
    assert watched.process.poll() is None, watched.process.communicate()
    try:
        return watched.health().status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.timeout(180)
def test_a_loop_that_stands_still_is_seen_by_the_health_check_and_so_is_that_it_goes_on(crew, emulator):
    emulator.order(rule("picture", latency="0.2"))
    crew.manifest(8)
    worker = Watched(crew, "worker", "--max-in-flight", "1")
    scheduler = Watched(crew, "scheduler")
    both = (worker, scheduler)
    try:
        for one in both:
            wait_for(lambda one=one: is_up(one))
        wait_for(lambda: crew.redis.exists(f"retouch:scheduler:{crew.folder / 'store'}"))
        assert [one.probed() for one in both] == [0, 0]
        job = crew.submit()
        wait_for(lambda: emulator.ledger.summary()["calls"] > 1)

        for one in both:
            one.process.send_signal(signal.SIGUSR1)
        for one in both:
            wait_for(lambda one=one: one.health().status_code == 503, 60)
            said = one.health().json()
            assert said["healthy"] is False
            assert said["reason"].startswith("the event loop has not moved for ")
        assert [one.probed() for one in both] == [1, 1]
        assert (worker.metric("retouch_healthy"), scheduler.metric("retouch_scheduler_healthy")) == (0, 0)

        for one in both:
            one.process.send_signal(signal.SIGUSR2)
        for one in both:
            wait_for(lambda one=one: one.health().status_code == 200, 60)
        crew.to_its_end(job)
        assert {record["outcome"] for record in crew.records()} == {"done"}
    finally:
        for one in both:
            one.process.terminate()
            one.http.close()
        ended = [one.process.communicate(timeout=60)[1] for one in both]
    assert [one.process.returncode for one in both] == [0, 0], ended
