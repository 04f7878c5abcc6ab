from __future__ import annotations

import signal

from pipeline.gemini.emulator import rule
from tests.integration.shop import status_of


def test_equal_edits_of_an_earlier_job_are_copied_and_cost_nothing(shop, emulator):
    shop.manifest(4)
    assert shop.run().returncode == 0
    calls = emulator.ledger.summary()["calls"]

    done = shop.retouch("run", "shop.csv", "--out", "again", "--reuse", "--json")

    assert done.returncode == 0, done.stderr
    assert emulator.ledger.summary()["calls"] == calls == 4
    assert status_of(done)["cost_usd"] == 0
    first = shop.records()
    shop.out = shop.folder / "again"
    for record, before in zip(shop.records(), first, strict=True):
        assert record["reused"] is True
        assert record["reused_from"].endswith("/" + before["id"])
        assert (record["cost_usd"], record["attempts"]) == (0.0, [])
        assert record["images"][0]["sha256"] == before["images"][0]["sha256"]
    shop.check_pictures()


def test_a_copy_whose_process_died_before_its_record_is_the_rows_own(shop, emulator):
    """It has no intent that tells of it: the picture alone is there."""
    shop.manifest(4)
    assert shop.run().returncode == 0
    again = ("run", "shop.csv", "--out", "again", "--reuse")
    shop.environment["RETOUCH_KILL_AT"] = "kept:2"
    assert shop.retouch(*again).returncode == -signal.SIGKILL
    del shop.environment["RETOUCH_KILL_AT"]

    done = shop.retouch(*again)

    assert done.returncode == 0, done.stderr
    assert emulator.ledger.summary()["calls"] == 4
    shop.out = shop.folder / "again"
    assert [record["reused"] for record in shop.records()] == [True] * 4
    shop.check_pictures()


def test_equal_rows_of_a_manifest_make_one_call_when_asked(shop, emulator):
    emulator.order(rule("picture", latency="0.3"))
    shop.manifest(1)
    lines = (shop.folder / "shop.csv").read_text().splitlines()
    same = lines[1].removeprefix("r1,")
    (shop.folder / "shop.csv").write_text("\n".join([lines[0], *(f"s{n},{same}" for n in range(5))]) + "\n")

    done = shop.run("--reuse")

    assert done.returncode == 0, done.stderr
    assert emulator.ledger.summary()["calls"] == 1
    assert sorted(record["reused"] for record in shop.records()) == [False, True, True, True, True]
    assert len({record["images"][0]["path"] for record in shop.records()}) == 5


def test_without_it_equal_rows_are_variations(shop, emulator):
    shop.manifest(1)

    assert shop.run("--repeat", "3").returncode == 0

    assert emulator.ledger.summary()["calls"] == 3


def test_other_bytes_another_prompt_or_option_is_another_edit(shop, emulator):
    shop.manifest(1)
    shop.run()
    (shop.folder / "p1.png").write_bytes((shop.folder / "p1.png").read_bytes() + b"\0")

    shop.retouch("run", "shop.csv", "--out", "b", "--reuse")
    shop.retouch("run", "shop.csv", "--out", "c", "--reuse", "--aspect-ratio", "1:1")

    assert emulator.ledger.summary()["calls"] == 3


def test_a_picture_that_was_changed_since_is_made_anew(shop, emulator):
    shop.manifest(1)
    shop.run()
    picture = next((shop.out / "images").iterdir())
    picture.write_bytes(picture.read_bytes()[:-1])

    assert shop.retouch("run", "shop.csv", "--out", "b", "--reuse").returncode == 0

    assert emulator.ledger.summary()["calls"] == 2
