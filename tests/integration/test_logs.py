"""The log of a real worker and of a real run, as machines read it."""

from __future__ import annotations

import json

import pytest

from pipeline.gemini.emulator import rule
from tests.integration.crew import Crew
from tests.integration.shop import KEY, Shop


def lines_of(text: str) -> list[dict]:
    """Every line, each of which is an object."""
    return [json.loads(line) for line in text.splitlines()]


def check(lines: list[dict], job: str) -> None:
    """Each row was settled, and every line about it says so."""
    settled = [line for line in lines if line.get("event") == "row_settled"]
    assert sorted(line["row"] for line in settled) == [1, 2, 3]
    assert {(line["job"], line["shard"]) for line in settled} == {(job, 1)}
    calls = [line for line in lines if line.get("event") == "call"]
    assert sorted((line["row"], line["verdict"]) for line in calls) == [
        (1, "image"),
        (2, "image"),
        (2, "text_only"),
        (3, "image"),
    ]
    assert all(line["shard"] == 1 and isinstance(line["seconds"], float) for line in calls)
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)


@pytest.fixture
def sometimes_text(emulator):
    emulator.order(rule("text_only", contains="[[r2]]", times_per_token=1))


def test_a_run_in_json(shop: Shop, sometimes_text):
    shop.manifest(3)
    done = shop.run("--debug", "--log-format", "json", "--yes")
    assert done.returncode == 0
    check(lines_of(done.stderr), json.loads(done.stdout)["job"])
    assert KEY not in done.stderr


def test_a_worker_in_json_with_the_lines_of_celery(tmp_path, emulator, redis_url, sometimes_text):
    crew = Crew(tmp_path, emulator, redis_url, RETOUCH_LOG_FORMAT="json", RETOUCH_DEBUG="1")
    worker = crew.worker(4)
    crew.manifest(3)
    job = crew.submit()
    crew.to_its_end(job)
    worker.terminate()
    _, said = worker.communicate(timeout=60)
    lines = lines_of(said)
    check(lines, job)
    loggers = {line["logger"].partition(".")[0] for line in lines}
    assert "celery" in loggers
    assert "httpx" not in loggers, "libraries speak up for warnings alone"
    folded = next(line for line in lines if line.get("event") == "shard_folded")
    assert (folded["job"], folded["shard"], folded["last"]) == (job, 1, True)
    assert KEY not in said
    crew.end()
