"""A real worker, scraped over real HTTP while it works; its figures are those of the job's report."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from pipeline.attempt import Verdict
from pipeline.gemini.emulator import Options, Studio, in_thread, rule
from pipeline.record import Outcome
from tests.integration.crew import Crew, free_port, own_redis, wait_for
from workers.monitoring.scheduler import Rounds, registry_of
from workers.shared.keys import ACTIVE

SLOTS = 8
EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS = 40


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A worker that serves metrics."""
    port = str(free_port())
    with own_redis() as url, in_thread(Options(studio=Studio(shrink=6, format="jpeg"))) as emulator:
        crew = Crew(
            tmp_path_factory.mktemp("crew"),
            emulator,
            url,
            RETOUCH_METRICS_PORT=port,
            RETOUCH_STALLED_SECONDS="1",
        )
        crew.process = crew.worker(SLOTS)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as crew.http:
            yield crew
        crew.end()


@pytest.fixture
def crew(watched):
    """The worker for one test, when it knows what lies before it; however the test ends, it leaves no job."""
    scraped_when(watched, lambda found: "retouch_open_rows" in found.families)
    watched.emulator.ledger.clear()
    yield watched
    watched.emulator.order()
    for job in watched.redis.zrange(ACTIVE, 0, -1):
        watched.retouch("cancel", job)
    wait_for(lambda: not watched.redis.exists(ACTIVE))
    watched.all_is_still()


class Scraped:
    """All samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """The sum over all series of *name* that have *labels*."""
        found = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        assert found, f"no {name} {labels}"
        return sum(found)

    def since(self, earlier: Scraped) -> Scraped:
        """What has been added: other tests may have used the worker before."""
        before = {(s.name, *s.labels.items()): s.value for s in earlier.samples}
        added = Scraped("")
        added.samples = [
            s._replace(value=s.value - before.get((s.name, *s.labels.items()), 0.0)) for s in self.samples
        ]
        return added

    def by(self, name: str, label: str) -> dict[str, float]:
        """What is not zero of *name*, by *label*."""
        return {s.labels[label]: s.value for s in self.samples if s.name == name and s.value}


def scrape(crew: Crew) -> Scraped:
    return Scraped(crew.http.get("/metrics").raise_for_status().text)


def scraped_when(crew: Crew, condition: Callable[[Scraped], bool]) -> Scraped:
    """The scrape of which *condition* holds: the next one may tell of something else."""
    found: list[Scraped] = []

    def holds() -> bool:
        found.append(scrape(crew))
        return condition(found[-1])

    wait_for(holds)
    return found[-1]


def test_metrics_agree_with_the_report(crew):
    crew.emulator.order(
        rule("text_only", contains="[[r3]]", times_per_token=1),
        rule("refused", contains="[[r5]]"),
        rule(latency="0.3"),
    )
    crew.manifest(ROWS)
    before = scrape(crew)
    assert before.sum("retouch_healthy") == 1
    job = crew.submit()
    during = scraped_when(crew, lambda found: found.sum("retouch_calls_in_flight") > 1)
    assert during.sum("retouch_slots") == SLOTS
    assert during.sum("retouch_leases") >= 1
    assert 0 < during.sum("retouch_lease_age_seconds") < 60
    assert during.sum("retouch_lease_renewal_age_seconds") < during.sum("retouch_lease_seconds")
    assert (
        during.sum("retouch_jobs_bound", limit="slots") + during.sum("retouch_jobs_bound", limit="rows") == 1
    )
    assert during.sum("retouch_reserved_usd") > 0
    crew.to_its_end(job)
    report = json.loads((crew.out / "report.json").read_text())
    after = scrape(crew).since(before)
    assert after.by("retouch_rows_total", "outcome") == {
        name: count for name, count in report["outcomes"].items() if count
    }
    assert after.by("retouch_attempts_total", "verdict") == report["verdicts"]
    assert after.sum("retouch_calls_total") == report["calls"] == crew.emulator.ledger.summary()["calls"]
    assert after.sum("retouch_call_duration_seconds_count") == report["calls"]
    assert after.sum("retouch_call_duration_seconds_sum") > 0.2 * report["calls"]
    assert after.sum("retouch_cost_usd_total") == pytest.approx(report["cost_usd"], abs=1e-6)
    assert after.sum("retouch_calls_unknown_total") == report["calls_unknown"] == 0
    tokens = [attempt["tokens"] for record in crew.records() for attempt in record["attempts"]]
    assert after.sum("retouch_tokens_total", kind="input") == sum(said["input"] for said in tokens if said)
    assert scrape(crew).sum("retouch_calls_in_flight") == 0
    assert after.sum("retouch_bound_seconds_total", limit="slots") > 0


def test_labels_are_bounded_and_names_follow_the_field(crew):
    found = scrape(crew)
    ours = [family for name, family in found.families.items() if name.startswith("retouch_")]
    assert len(ours) > 25
    for family in ours:
        assert family.documentation.endswith("."), family.name
        assert not family.name.endswith(("_ms", "_milliseconds", "_minutes", "_count")), family.name
    labels = {
        name for sample in found.samples for name in sample.labels if sample.name.startswith("retouch_")
    }
    assert labels == {"outcome", "model", "verdict", "kind", "limit", "le", "version", "level", "event"}
    outcomes = {s.labels["outcome"] for s in found.samples if s.name == "retouch_rows_total"}
    assert outcomes == set(Outcome)
    verdicts = {s.labels["verdict"] for s in found.samples if s.name == "retouch_attempts_total"}
    assert verdicts == set(Verdict)


def test_what_lies_before_all_workers_is_seen(crew):
    crew.emulator.order(rule(latency="0.2"))
    crew.manifest(300)
    done = crew.retouch("submit", "shop.csv", "--out", str(crew.folder / "long"), "--json", "--yes")
    job = json.loads(done.stdout)["job"]
    found = scraped_when(crew, lambda found: found.sum("retouch_open_rows") > 0)
    assert found.sum("retouch_open_jobs") == 1
    assert found.sum("retouch_workers") == 1
    assert 0 < found.sum("retouch_open_rows") <= 300
    assert crew.retouch("cancel", job).returncode == 0
    crew.to_its_end(job)
    wait_for(lambda: scrape(crew).sum("retouch_open_rows") == 0)


def test_a_pause_that_the_api_asked_for_and_a_pace_are_named(crew):
    crew.emulator.order()
    crew.manifest(12)
    words = ("submit", "shop.csv", "--json", "--yes", "--rpm", "60", "--out", str(crew.folder / "paced"))
    job = json.loads(crew.retouch(*words).stdout)["job"]
    found = scraped_when(crew, lambda found: found.sum("retouch_pace_wait_seconds") > 1)
    assert found.sum("retouch_jobs_bound", limit="rpm") == 1
    assert found.sum("retouch_pace_limit_calls_per_minute") == 60
    crew.emulator.order(rule("rate_limited"))
    found = scraped_when(crew, lambda found: found.sum("retouch_jobs_bound", limit="api") == 1)
    assert found.sum("retouch_api_hold_seconds") > 0
    assert crew.retouch("cancel", job).returncode == 0
    crew.to_its_end(job)


def test_a_redis_that_is_away_is_seen_and_is_no_fault_of_the_worker(crew):
    crew.emulator.order(rule(latency="0.5"))
    # More than can be called for before Redis is away: a job whose rows have all begun would be over by then.
    crew.manifest(200)
    words = ("submit", "shop.csv", "--json", "--yes", "--out", str(crew.folder / "away"))
    job = json.loads(crew.retouch(*words).stdout)["job"]
    wait_for(lambda: scrape(crew).sum("retouch_calls_in_flight") > 1)
    crew.redis.client_pause(9_000)
    found = scraped_when(crew, lambda found: found.sum("retouch_jobs_bound", limit="redis") == 1)
    assert found.sum("retouch_heartbeat_age_seconds") > 5
    assert found.sum("retouch_healthy") == 1
    assert crew.retouch("probe").returncode == 0
    wait_for(lambda: scrape(crew).sum("retouch_heartbeat_age_seconds") < 2)
    crew.emulator.order()
    crew.to_its_end(job)
    assert scrape(crew).sum("retouch_events_total", event="redis_away") > 0


def test_the_probe_says_whether_the_worker_makes_progress(crew):
    done = crew.retouch("probe")
    assert (done.returncode, done.stdout) == (0, "it makes progress\n")
    assert json.loads(crew.retouch("probe", "--json").stdout) == {"healthy": True, "reason": None}
    crew.process.send_signal(signal.SIGSTOP)
    try:
        stopped = crew.retouch("probe")
    finally:
        crew.process.send_signal(signal.SIGCONT)
    assert stopped.returncode == 1
    assert "nothing answers at 127.0.0.1" in stopped.stderr
    assert crew.retouch("probe", "--metrics-port", "1").returncode == 1
    redis = crew.redis.connection_pool.connection_kwargs["port"]
    wrong = crew.retouch("probe", "--metrics-port", str(redis))
    assert wrong.returncode == 1
    assert "Traceback" not in wrong.stderr


def test_nothing_else_is_served(crew):
    assert crew.http.get("/").status_code == 404
    health = crew.http.get("/healthz")
    assert health.status_code == 200
    assert health.json() == {"healthy": True, "reason": None}


def test_a_port_that_is_taken_is_one_sentence(crew):
    done = crew.retouch("worker")
    assert done.returncode == 2
    assert done.stderr.startswith("retouch: --metrics-port")
    assert done.stderr.count("\n") == 1


def test_without_a_port_nothing_is_asked(crew, tmp_path):
    done = Crew(tmp_path, crew.emulator, "redis://127.0.0.1:1/0").retouch("probe")
    assert done.returncode == 2
    assert "--metrics-port" in done.stderr


def names(text: str) -> set[str]:
    """Every name of ours in *text*."""
    return set(re.findall(r"\bretouch_[a-z_]+\b", text))


def of_a_scheduler() -> list[Sample]:
    """What a scheduler serves from its first scrape on."""
    registry, _ = registry_of(Rounds())
    return [sample for metric in registry.collect() for sample in metric.samples]


def expressions() -> list[str]:
    """What the dashboard asks, with its variables filled in."""
    panels = json.loads((EXAMPLES / "grafana/retouch.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    filled = {"$__rate_interval": "1m", "$__range": "1h", "$instance": ".*"}
    return [re.sub(r"\$\w+", lambda found: filled[found[0]], expression) for expression in asked]


def test_dashboard_alerts_and_docs_name_what_is_there(crew):
    found = scrape(crew)
    samples = {sample.name for sample in found.samples if sample.name.startswith("retouch_")}
    shown = names(" ".join(expressions()))
    assert len(shown) > 25
    assert shown <= samples
    rules = (EXAMPLES / "prometheus/alerts.yml").read_text()
    samples |= {sample.name for sample in of_a_scheduler() if sample.name.startswith("retouch_")}
    assert names(rules) <= samples
    told = names((EXAMPLES.parent / "docs/reference/metrics.md").read_text())
    assert told <= samples | set(found.families)
    parts = ("_bucket", "_count", "_sum")
    assert {name for name in samples if not name.endswith(parts)} <= told, "the docs name every metric"


def test_what_alerts_wait_for_is_there_from_the_first_scrape_on(crew):
    found = scrape(crew)
    rules = (EXAMPLES / "prometheus/alerts.yml").read_text()
    events = set(re.findall(r'event="(\w+)"', rules))
    there = [*found.samples, *of_a_scheduler()]
    assert events <= {sample.labels["event"] for sample in there if "event" in sample.labels}
    source = "".join(path.read_text() for path in (EXAMPLES.parent / "workers").rglob("*.py"))
    source += "".join(path.read_text() for path in (EXAMPLES.parent / "pipeline").rglob("*.py"))
    source += "".join(path.read_text() for path in (EXAMPLES.parent / "jobs").rglob("*.py"))
    assert all(f'"{event}' in source for event in events)
    verdicts = set(re.findall(r"\w+", "|".join(re.findall(r'verdict=~"([^"]+)"', rules))))
    assert verdicts
    assert verdicts <= set(Verdict)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_takes_the_rules_and_the_questions(tmp_path):
    asked = [{"record": f"x:{number}", "expr": text} for number, text in enumerate(expressions())]
    questions = tmp_path / "questions.yml"
    questions.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": asked}]}))
    for kind, file in (
        ("rules", EXAMPLES / "prometheus/alerts.yml"),
        ("config", EXAMPLES / "prometheus/prometheus.yml"),
        ("rules", questions),
    ):
        done = subprocess.run(["promtool", "check", kind, file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
