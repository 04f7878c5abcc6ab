"""Schedules as a person types them, wrongly too; no Redis is there."""

from __future__ import annotations

import pytest

from tests.e2e.typed import Shell

PHOTOS = ("--", "photos", "--prompt", "make it blue")


@pytest.fixture
def shell(tmp_path) -> Shell:
    (tmp_path / "photos").mkdir()
    (tmp_path / "shop.csv").write_text("prompt\na\n")
    return Shell(tmp_path, RETOUCH_REDIS_URL="redis://127.0.0.1:1/0", RETOUCH_SCHEDULE_TZ="Europe/Paris")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "n", *PHOTOS], "when should it run? Give --cron, --every or --at"),
        (
            ["add", "n", "--every", "1h", "--at", "2099-01-01", *PHOTOS],
            "--every and --at exclude each other",
        ),
        (["add", "n", "--every", "30s", *PHOTOS], "the shortest interval is a minute"),
        (["add", "n", "--every", "99999999999999d", *PHOTOS], "--every 99999999999999d: give an interval"),
        (["add", "n", "--every", "800d", *PHOTOS], "the longest interval is a year"),
        (
            ["add", "n", "--every", "1h", "photos", "--prompt", "x"],
            "options of `retouch submit` stand after --",
        ),
        (["add", "n", "--every", "1h", "--tz", "CEST", *PHOTOS], "name one such as Europe/Paris"),
        (["add", "n", "--every", "1h", "--overlap", "both", *PHOTOS], "is not one of 'skip', 'queue' (try"),
        (["add", "n", "--cron", "0 25 * * *", *PHOTOS], "its hour is not valid"),
        (["add", "n", "--at", "2020-01-01T00:00", *PHOTOS], "has passed"),
        (["add", "n", "--every", "1h", "--tz", "Europe/Pari", *PHOTOS], "did you mean Europe/Paris"),
        (["add", "../n", "--every", "1h", *PHOTOS], "give up to 40 letters"),
        (["add", "n", "--every", "1h"], "Missing argument"),
        (["add", "n", "--every", "1h", "--", "photos"], "has no prompts; add --prompt"),
        (["add", "n", "--every", "1h", "--", "nowhere.csv"], "nowhere.csv does not exist"),
        (["add", "n", "--every", "1h", "--", "-"], "cannot read standard input"),
        (["add", "n", "--every", "1h", *PHOTOS, "--rpmm", "3"], "No such option '--rpmm'"),
        (["add", "n", "--every", "1h", *PHOTOS, "--rpm", "many"], "--rpm: 'many' is not a number above 0"),
        (["add", "n", "--every", "1h", *PHOTOS, "--image-size", "9K"], "9K"),
        (
            ["add", "n", "--every", "1h", "--incremental", "--", "shop.csv"],
            "is not a folder of pictures or a glob",
        ),
        (["show", "n"], "no schedule 'n'"),
        (["edit", "..", "--every", "1h"], "no schedule '..'"),
        (["run", "n"], "no schedule 'n'"),
        (["remove", "n"], "no schedule 'n'"),
    ],
)
def test_bad_usage_is_one_sentence(shell, words, says):
    typed = shell.type("schedule", *words)

    assert typed.code == 2
    assert says in typed.err
    assert typed.err.startswith("retouch: ")
    assert typed.err.count("\n") == 1
    assert typed.out == ""


def test_a_schedule_is_kept_without_redis_and_edited_in_part(shell):
    added = shell.type("schedule", "add", "n", "--cron", "0 2 * * *", "--json", *PHOTOS, "--budget", "5")
    assert added.code == 0
    assert "The store has the schedule" in added.err
    assert added.json["submit"] == f"{shell.folder}/photos --prompt 'make it blue' --budget 5"
    assert (added.json["when"], added.json["incremental"]) == ("0 2 * * * Europe/Paris", True)
    assert len(added.json["next"]) == 3

    again = shell.type("schedule", "add", "n", "--every", "1h", *PHOTOS)
    assert (again.code, "schedule n exists" in again.err) == (2, True)

    edited = shell.type(
        "schedule", "edit", "n", "--every", "90m", "--json", "--", "--budget", "none", "--no-reuse"
    ).json
    assert edited["submit"] == f"{shell.folder}/photos --prompt 'make it blue' --no-reuse --budget none"
    assert edited["when"] == "every 1 h 30 min"
    moved = shell.type(
        "schedule", "edit", "n", "--json", "--", "shop.csv", "--notify", "https://hook.test/secret"
    ).json
    assert moved["submit"].startswith(f"{shell.folder}/shop.csv --prompt 'make it blue'")
    assert "secret" not in str(moved)
    assert moved["incremental"] is False
    assert [shown["name"] for shown in shell.type("schedule", "list", "--json").json] == ["n"]

    help_ = shell.type("schedule", "add", "--help").out
    assert "Examples:\n  retouch schedule add" in help_
