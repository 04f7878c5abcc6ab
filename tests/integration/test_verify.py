"""``retouch verify`` finds what was done to a job's files, and nothing where nothing was."""

from __future__ import annotations

import json
import shutil

import pytest

from pipeline.gemini.emulator import Options, Studio, in_thread, rule
from tests.integration.shop import Shop


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A job of two shards, with a row that is not done; its folder is kept as it was."""
    with in_thread(Options(studio=Studio(shrink=6, format="jpeg"))) as emulator:
        shop = Shop(tmp_path_factory.mktemp("shop"), emulator.url)
        emulator.order(rule("text_only", contains="[[r7]]"))
        shop.manifest(60)
        assert shop.run("--attempts", "1").returncode == 1
        emulator.order()
        shutil.copytree(shop.out, shop.folder / "kept")
        yield shop


@pytest.fixture
def done(ended):
    """That job, to do something to."""
    shutil.rmtree(ended.out)
    shutil.copytree(ended.folder / "kept", ended.out)
    return ended


def verified(shop, code: int = 1) -> dict:
    done = shop.retouch("verify", "out", "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def flaws(shop) -> list[tuple]:
    return [(flaw["code"], flaw["path"], flaw["row"]) for flaw in verified(shop)["flaws"]]


def picture(shop, row: int):
    return shop.out / shop.records()[row - 1]["images"][0]["path"]


def test_a_job_as_it_was_left_has_no_flaw(done):
    seen = verified(done, 0)
    assert (seen["ended"], seen["records"], seen["pictures"], seen["flaws"]) == (True, 60, 59, [])
    said = done.retouch("verify", "out")
    assert said.returncode == 0
    assert "60 records, 59 pictures" in said.stderr
    assert "everything matches the records" in said.stderr
    assert said.stdout == ""


def test_a_retried_job_has_none_either(done):
    assert done.retouch("retry", "out").returncode == 0
    assert verified(done, 0)["pictures"] == 60


def test_pictures_that_are_gone_changed_or_strange_are_named(done):
    gone, longer, other, strange = (picture(done, row) for row in (1, 2, 3, 55))
    data = bytearray(other.read_bytes())
    data[len(data) // 2] ^= 1
    gone.unlink()
    longer.write_bytes(longer.read_bytes() + b"x")
    other.write_bytes(data)
    (done.out / "images/stranger.png").write_bytes(strange.read_bytes())

    found = flaws(done)

    assert found == [
        ("missing", f"images/{gone.name}", 1),
        ("size", f"images/{longer.name}", 2),
        ("sha256", f"images/{other.name}", 3),
        ("unrecorded", "images/stranger.png", None),
    ]
    said = done.retouch("verify", "out").stdout.splitlines()
    assert said[0] == f"missing: images/{gone.name} (row 1) is not there"


@pytest.mark.parametrize("change", ["line", "less", "more", "gone"])
def test_results_that_are_not_the_records_are_named(done, change):
    path = done.out / "results.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "gone":
        path.unlink()
    else:
        lines = {
            "line": [*lines[:54], lines[3], *lines[55:]],
            "less": lines[:-1],
            "more": [*lines, lines[0]],
        }[change]
        path.write_bytes(b"".join(lines))

    (flaw,) = verified(done)["flaws"]

    assert flaw["code"] == ("missing" if change == "gone" else "results")
    assert {"line": "line 55 ", "less": "line 60 ", "more": "line 61", "gone": "does not exist"}[
        change
    ] in flaw["message"]
    assert done.retouch("report", "out").returncode == 0
    assert verified(done, 0)["flaws"] == []


def test_a_record_that_leads_out_of_the_folder_is_not_followed(done):
    folded = done.out / ".retouch/shards/000001/r1/folded"
    folded.write_bytes(folded.read_bytes().replace(picture(done, 1).name.encode(), b"../../shop.csv", 1))
    assert ("outside", "images/../../shop.csv", 1) in flaws(done)


def test_shards_that_are_lost_or_damaged_are_named(done):
    folded = done.out / ".retouch/shards/000002/r1/folded"
    folded.write_bytes(folded.read_bytes()[:-40])
    assert ("damaged", ".retouch/shards/000002", None) in flaws(done)


def test_of_a_job_that_has_not_ended_what_is_settled_is_compared(shop, emulator):
    emulator.order(rule("status", code=403, after=20))
    shop.manifest(60)
    assert shop.run("--max-in-flight", "4").returncode == 3
    seen = verified(shop, 0)
    assert (seen["ended"], seen["records"] >= 20) == (False, True)
    picture(shop, 1).unlink()
    assert verified(shop)["flaws_found"] == 1


def test_an_unknown_job_is_one_sentence(shop):
    done = shop.retouch("verify", "nonsense")
    assert done.returncode == 2
    assert "no job 'nonsense'" in done.stderr
