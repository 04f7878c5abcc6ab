"""``retouch check``: every fault with its line, the calls, the cost; nothing is called or changed."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from PIL import Image

from tests.e2e.typed import RETOUCH, Shell

SHOP = """\
id,image,prompt,image_size
a,good.png,make it blue,
b,gone.png,make it blue,
c,good.png,,
a,good.png,paint {colour},
e,good.png,make it red,3K
f,../outside.png,make it red,
g,http://127.0.0.1/x.png,make it red,
"""


@pytest.fixture
def shell(tmp_path) -> Shell:
    folder = tmp_path / "shop"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "good.png")
    (folder / "shop.csv").write_text(SHOP)
    return Shell(folder)


def test_people_get_every_fault_as_an_editor_reads_it_and_the_estimate(shell):
    typed = shell.type("check", "shop.csv")

    assert (typed.code, typed.err) == (1, "")
    lines = typed.out.splitlines()
    assert [line.split(": ")[:3] for line in lines if line.startswith("shop.csv:")] == [
        ["shop.csv:3", "column image", "missing"],
        ["shop.csv:4", "column prompt", "no_prompt"],
        ["shop.csv:5", "column prompt", "unknown_column"],
        ["shop.csv:5", "column id", "duplicate_id"],
        ["shop.csv:6", "column image_size", "option"],
        ["shop.csv:7", "column image", "outside"],
        ["shop.csv:8", "column image", "private_address"],
    ]
    assert "7 rows, 1 call if every first attempt succeeds, about $0.0" in typed.out
    assert "bound by --max-in-flight 64" in typed.out
    assert lines[-1] == "7 faults in 6 rows: recorded as invalid and not sent"


def test_json_is_the_contracts_object(shell):
    typed = shell.type("check", "shop.csv", "--json")

    assert (typed.code, typed.err) == (1, "")
    found = typed.json
    assert {"rows", "faults", "calls", "cost_usd", "seconds", "binding_limit"} <= set(found)
    assert (found["rows"], found["calls"], found["binding_limit"]) == (7, 1, "slots")
    assert 0 < found["cost_usd"] < 0.1
    assert found["seconds"] > 0
    assert len(found["faults"]) == 7
    first = found["faults"][0]
    assert set(first) == {"row", "line", "column", "code", "message"}
    assert (first["row"], first["line"], first["column"], first["code"]) == (2, 3, "image", "missing")


def test_nothing_is_changed(shell):
    shell.type("check", "shop.csv", "--out", "job")

    assert sorted(path.name for path in shell.folder.iterdir()) == ["good.png", "shop.csv"]


def test_a_good_manifest_is_said_to_be_good(shell):
    (shell.folder / "good.csv").write_text("image,prompt\ngood.png,a\ngood.png,a\n")

    typed = shell.type("check", "good.csv", "--rpm", "1")

    assert typed.code == 0
    assert typed.out.splitlines()[-1] == "no faults"
    assert "note: 1 row equals an earlier row" in typed.out
    assert "note: no API key" in typed.out
    assert "bound by --rpm 1" in typed.out


def test_an_unknown_price_is_null_and_never_0(shell):
    (shell.folder / "good.csv").write_text("prompt\na\n")

    typed = shell.type("check", "good.csv", "--model", "of-tomorrow", "--json")

    assert typed.code == 0
    assert typed.json["cost_usd"] is None
    assert "of-tomorrow is not in the catalogue" in typed.json["notes"][0]


def test_many_faults_are_cut_for_people_and_whole_in_json(shell):
    (shell.folder / "bad.csv").write_text("image,prompt\n" + "gone.png,a\n" * 120)

    people, machine = shell.type("check", "bad.csv"), shell.type("check", "bad.csv", "--json")

    assert people.out.count("bad.csv:") == 50
    assert "… and 70 more faults; `retouch check --json` lists all" in people.out
    assert len(machine.json["faults"]) == 120


def test_standard_input(shell):
    rows = "".join(json.dumps({"image": "good.png", "prompt": word}) + "\n" for word in ("a", "b", ""))

    typed = shell.type("check", "-", stdin=rows)

    assert typed.code == 1
    assert "stdin:3: column prompt: no_prompt" in typed.out


def test_control_characters_of_a_manifest_do_not_reach_the_terminal(shell):
    (shell.folder / "evil.jsonl").write_text(
        json.dumps({"prompt": "a", "image": "\x1b]0;owned\x07.png"}) + "\n"
    )

    typed = shell.type("check", "evil.jsonl")

    assert typed.code == 1
    assert "\x1b" not in typed.out + typed.err
    assert "\x07" not in typed.out + typed.err


def test_a_closed_standard_input_is_an_empty_one(shell):
    done = subprocess.run(
        ["sh", "-c", f'"{RETOUCH}" check - <&-'],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "retouch: standard input is empty; write a manifest into it.\n"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_code_speaks_of_faults_though_nobody_reads_them(shell, form):
    reader, writer = os.pipe()
    os.close(reader)

    with os.fdopen(writer, "wb") as nobody:
        done = subprocess.run(
            [RETOUCH, "check", "shop.csv", *form],
            cwd=shell.folder,
            env=shell.environment,
            stdout=nobody,
            stderr=subprocess.PIPE,
            timeout=100,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"")
