"""The container files: what they say, and that it works, from a clean build to the first picture."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image as Pillow

from tests.compose.composefile import services_of, started
from tests.compose.dockerfile import stages_of
from tests.compose.image import build, valkey_image

HERE = Path(__file__).parents[2]
OURS = ("worker", "scheduler", "retouch", "emulator", "bucket")


@pytest.fixture
def services():
    return services_of(HERE / "docker-compose.yml", {})


def test_any_number_of_workers_can_be_started(services):
    assert not {"container_name", "ports"} & set(services["worker"].said)


def test_what_is_ours_is_locked_up_rotates_its_log_and_names_its_health(services):
    for name in OURS:
        said = services[name].said
        assert (said["read_only"], said["cap_drop"], said["init"]) == (True, ["ALL"], True), name
        assert said["security_opt"] == ["no-new-privileges:true"], name
    for name, service in services.items():
        assert service.said["logging"]["options"]["max-size"], name
    for name in ("redis", "worker", "scheduler"):
        assert services[name].said["restart"] == "unless-stopped"
        assert services[name].said["deploy"]["resources"]["limits"]["memory"], name


def test_a_worker_has_more_time_to_end_than_it_gives_its_calls(services):
    worker = services["worker"]
    # Beyond its grace it needs: a last word to Redis, and the end of Celery (workers/shutdown.py).
    assert worker.seconds("stop_grace_period", 0) >= float(worker.environment["RETOUCH_GRACE_SECONDS"]) + 13


def test_workers_and_the_scheduler_are_asked_for_their_progress_by_the_check_of_the_image(services):
    (check,) = [value for word, value in stages_of(HERE / "Dockerfile")[-1].steps if word == "HEALTHCHECK"]
    assert check.endswith('CMD ["retouch", "probe"]')
    assert "healthcheck" not in services["worker"].said
    assert "healthcheck" not in services["scheduler"].said


def test_nothing_is_open_to_the_network_but_what_is_to_be_tried_here(services):
    published = {name: service.said.get("ports", []) for name, service in services.items()}
    assert {name for name, ports in published.items() if ports} == {"emulator", "s3"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_what_up_starts(services):
    names = [service.name for service in started(services, set())]
    assert names == ["redis", "worker", "scheduler"]
    tried = [service.name for service in started(services, {"emulator", "s3"})]
    assert tried.index("emulator") < tried.index("worker") > tried.index("bucket") > tried.index("s3")


def test_every_variable_of_the_example_is_one_that_is_read(services):
    text = (HERE / "docker-compose.yml").read_text()
    for line in (HERE / ".env.example").read_text().splitlines():
        name, assigned, _ = line.removeprefix("#").partition("=")
        if assigned and name.isidentifier() and name.isupper():
            known = name.startswith(("RETOUCH_", "GEMINI_", "GOOGLE_", "AWS_", "COMPOSE_")) or name in text
            assert known, name


def test_the_image_carries_no_tool_and_no_root():
    build_stage, last = stages_of(HERE / "Dockerfile")
    assert build_stage.name == "build"
    assert not [value for word, value in last.steps if word == "RUN" and ("pip" in value or "uv" in value)]
    assert ("USER", "10001:10001") in last.steps
    labels = " ".join(value for word, value in last.steps if word == "LABEL")
    assert "org.opencontainers.image.source=" in labels


def _namespaces() -> bool:
    words = ["unshare", "--mount", "--net", "mount", "--make-rprivate", "/"]
    try:
        return os.geteuid() == 0 and subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(
    not _namespaces(), reason="carrying the files out needs root and namespaces of the kernel"
)
@pytest.mark.timeout(300)
def test_from_a_clean_build_to_the_first_picture_and_down_again(tmp_path_factory):
    place = tmp_path_factory.mktemp("compose")
    place.parent.chmod(0o755)
    image = build(HERE, place / "roots")
    plan = {
        "files": str(HERE),
        "retouch": dataclasses.asdict(image) | {"root": str(image.root)},
        "valkey": dataclasses.asdict(valkey := valkey_image(place / "roots/valkey"))
        | {"root": str(valkey.root)},
        "volumes": str(place / "volumes"),
        "profiles": ["emulator"],
        "leave_out": [],
        "environment": {"GOOGLE_GEMINI_BASE_URL": "http://emulator:8080", "GEMINI_API_KEY": "any"},
    }
    (place / "volumes").mkdir()
    words = ["unshare", "--net", sys.executable, "-m", "tests.compose.stack", json.dumps(plan)]
    try:
        done = subprocess.run(words, cwd=HERE, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert seen["up"] == ["redis", "emulator", "worker", "scheduler"]
        assert (seen["watched"]["state"], seen["watched"]["outcomes"]["done"]) == ("finished", 3)
        assert "/opt/retouch/x: cannot be written (Read-only file system)" in seen["unwritable"]
        assert seen["healthy_while_standing_still"] == {"worker": False, "scheduler": False}
        assert (seen["gone"], seen["worker_ended_with"]) == ([], 0)
        out = place / "volumes/jobs" / Path(seen["submitted"]["out"]).relative_to("/data")
        pictures = sorted((out / "images").iterdir())
        assert len(pictures) == 3
        with Pillow.open(pictures[0]) as picture:
            picture.load()
        assert {path.stat().st_uid for path in pictures} == {10001}
    finally:
        shutil.rmtree(place / "roots", ignore_errors=True)
