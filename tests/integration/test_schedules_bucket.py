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


def test_a_glob_in_a_bucket_is_edited_whole_and_then_what_is_new(crew, seaweed_bucket):
    folder = f"shops-{secrets.token_hex(4)}"
    out = f"{seaweed_bucket.url}/{folder}/white"
    names = ("lyon/p1.png", "lyon/p10.png", "lyon/p2.png", "oslo/old/p1.png", "p0.png")
    for shade, name in enumerate(names):
        seaweed_bucket.s3.put_object(Key=f"{folder}/{name}", Body=png(shade * 20))
    for name, body in (("lyon/notes.txt", b"none"), ("oslo/.hidden/p.png", png(1)), ("rome/", b"")):
        seaweed_bucket.s3.put_object(Key=f"{folder}/{name}", Body=body)

    def meant(glob: str) -> list[int]:
        """The exit code, and how many rows there are."""
        found = crew.retouch("check", f"{seaweed_bucket.url}/{folder}/{glob}", "--prompt", "blue", "--json")
        return [found.returncode, json.loads(found.stdout)["rows"]] if found.stdout else [found.returncode]

    assert meant("*.png") == [0, 1]
    assert meant("*/*.png") == [0, 3]
    assert meant("lyon/p?.png") == [0, 2]
    assert meant("**/*.png") == [0, 5]
    assert meant("**") == [0, 6], "a text, too: whoever names it means it, and its row will say what it is"
    assert meant("rome/*") == [2]

    crew.worker(4)
    glob = f"{seaweed_bucket.url}/{folder}/**/*.png"
    add = ("schedule", "add", "g", "--every", "1h", "--", glob, "--prompt", "make it blue", "--out", out)
    assert crew.retouch(*add).returncode == 0

    def run():
        done = crew.retouch("schedule", "run", "g", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = run()
    assert first["picked"]["new"] == 5
    crew.to_its_end(first["job"])
    records = crew.retouch("results", first["job"], "--json").stdout.splitlines()
    said = [(json.loads(line)["inputs"][0]["path"], json.loads(line)["outcome"]) for line in records]
    assert said == [
        (name, "done") for name in ("lyon/p1.png", "lyon/p2.png", "lyon/p10.png", "oslo/old/p1.png", "p0.png")
    ]
    assert run()["ended"] == "nothing-new", "what it has put below the folder itself is not meant"
    seaweed_bucket.s3.put_object(Key=f"{folder}/oslo/new.png", Body=png(222))
    assert run()["picked"]["new"] == 1
