"""Spans as a real receiver gets them, from a run and from a worker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.engine.traces import wanted
from pipeline.gemini.emulator import rule
from tests.integration.crew import Crew
from tests.integration.shop import KEY, Shop

CLIENT, ERROR = 3, 2


class Collector:
    """The receiver's URL, and what it has got."""

    def __init__(self, url: str, file: Path) -> None:
        self.url = url
        self._file = file

    def spans(self) -> list[dict]:
        return (
            [json.loads(line) for line in self._file.read_text().splitlines()] if self._file.exists() else []
        )


@pytest.fixture
def collector(tmp_path) -> Iterator[Collector]:
    file = tmp_path / "spans.jsonl"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.otlp", str(file)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        yield Collector(process.stdout.readline().strip(), file)
        process.terminate()


@pytest.fixture
def rules(emulator):
    emulator.order(
        rule("text_only", contains="[[r2]]", times_per_token=1),
        rule("prompt_blocked", contains="[[r3]]"),
    )


def check(spans: list[dict], job: str, records: list[dict]) -> None:
    """A span a row, and in it one an attempt, with what the records say."""
    rows = {span["attributes"]["retouch.row"]: span for span in spans if span["name"] == "row"}
    attempts = defaultdict(list)
    for span in spans:
        if span["name"] != "row":
            attempts[span["attributes"]["retouch.row"]].append(span)
    assert sorted(rows) == [record["row"] for record in records]
    assert len({span["trace"] for span in rows.values()}) == len(rows), "a trace a row"
    for record in records:
        row = rows[record["row"]]
        assert row["parent"] == ""
        assert row["attributes"]["retouch.job"] == job
        assert row["attributes"]["retouch.shard"] == 1
        assert row["attributes"]["retouch.outcome"] == record["outcome"]
        assert (row["status"] == ERROR) == (record["outcome"] != "done")
        made = sorted(attempts[record["row"]], key=lambda span: span["start"])
        assert len(made) == len(record["attempts"])
        for span, attempt in zip(made, record["attempts"], strict=True):
            said = span["attributes"]
            assert (span["trace"], span["parent"], span["kind"]) == (row["trace"], row["id"], CLIENT)
            assert row["start"] - 2e6 <= span["start"] <= span["end"] <= row["end"]
            assert span["name"] == f"generate_content {record['model']}"
            assert said["gen_ai.request.model"] == record["model"]
            assert said["gen_ai.provider.name"] == "gcp.gemini"
            assert said["http.response.status_code"] == attempt["http_status"]
            assert said["retouch.verdict"] == attempt["verdict"]
            assert (span["status"] == ERROR) == (attempt["verdict"] != "image")
            assert said.get("error.type") == (None if attempt["verdict"] == "image" else attempt["verdict"])
            tokens = attempt["tokens"]
            assert said.get("gen_ai.usage.input_tokens") == (tokens and tokens["input"])
            assert said.get("retouch.cost_usd") == attempt["cost_usd"]
    text = json.dumps(spans)
    assert KEY not in text
    assert "make it blue" not in text


def test_a_run_makes_a_span_a_row_and_one_an_attempt(shop: Shop, collector, rules):
    shop.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    shop.manifest(4)
    done = shop.run("--yes")
    status = json.loads(done.stdout)
    assert status["outcomes"]["done"] == 3
    check(collector.spans(), status["job"], shop.records())
    assert collector.spans()[0]["resource"]["service.name"] == "retouch"


def test_a_worker_does_too_and_is_called_as_the_environment_says(
    tmp_path, emulator, redis_url, collector, rules
):
    crew = Crew(
        tmp_path,
        emulator,
        redis_url,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_SERVICE_NAME="shop",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
    )
    worker = crew.worker(4)
    crew.manifest(4)
    job = crew.submit()
    crew.to_its_end(job)
    worker.terminate()
    worker.communicate(timeout=60)
    check(collector.spans(), job, crew.records())
    assert {span["resource"]["service.name"] for span in collector.spans()} == {"shop"}
    crew.end()


def test_a_receiver_that_is_away_holds_nothing_up(shop: Shop):
    shop.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    shop.manifest(2)
    done = shop.run("--yes")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_another_protocol_is_named_and_jobs_are_done(shop: Shop):
    shop.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    shop.manifest(1)
    done = shop.run("--yes")
    assert done.returncode == 0
    assert (
        "traces_off: the environment asks for grpc; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
        in done.stderr
    )


def test_nothing_of_it_is_imported_unless_asked_for(shop: Shop):
    shop.manifest(1)
    code = (
        "import sys; from jobs.cli.app import command_line;"
        "code = command_line(['run', 'shop.csv', '--yes', '--out', 'out']);"
        "sys.exit(code or any(name.startswith(('opentelemetry', 'prometheus')) for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=shop.folder, env=shop.environment, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
    ],
)
def test_when_it_is_on(environment, on):
    assert wanted(environment) is on
