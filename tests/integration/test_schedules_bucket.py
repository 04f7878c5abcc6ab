"""A schedule whose pictures and store lie in a bucket."""

from __future__ import annotations

import io
import json
import secrets

import pytest
from PIL import Image

from tests.integration.crew import Crew


def png(shade: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, 99, 200 - shade)).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def crew(tmp_path, emulator, redis_url, seaweed_bucket):
    store = f"{seaweed_bucket.url}/{secrets.token_hex(4)}"
    crew = Crew(tmp_path, emulator, redis_url, **seaweed_bucket.environment, RETOUCH_STORE=store)
    yield crew
    crew.end()


def test_a_run_takes_what_is_new_or_changed_in_a_bucket(crew, seaweed_bucket, emulator):
    folder = f"photos-{secrets.token_hex(4)}"

    def put(name: str, shade: int) -> None:
        seaweed_bucket.s3.put_object(Key=f"{folder}/{name}.png", Body=png(shade))

    def said(*words: str):
        done = crew.retouch("schedule", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    for shade in range(3):
        put(f"p{shade}", shade * 40)
    crew.worker(4)
    photos = f"{seaweed_bucket.url}/{folder}/"
    assert said("add", "n", "--every", "1h", "--json", "--", photos, "--prompt", "make it blue")[
        "incremental"
    ]
    first = said("run", "n", "--json")
    assert first["picked"]["new"] == 3
    crew.to_its_end(first["job"])
    assert said("run", "n", "--json")["ended"] == "nothing-new"

    put("p0", 200)
    put("p1", 40)
    put("p3", 77)
    second = said("run", "n", "--json")
    assert second["picked"] == {"new": 1, "changed": 1, "again": 0, "unchanged": 2, "left": 0}
    crew.to_its_end(second["job"])
    assert emulator.ledger.summary()["calls"] == 5
    assert said("show", "n", "--json")["runs"][0]["status"]["outcomes"]["done"] == 2
