"""A run that cannot come to its end by itself: what is paid for is settled and told, and there is a way on."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import shutil
import signal
import ssl
import subprocess
import sys

import pytest
import trustme
from PIL import Image

from pipeline.gemini.emulator import Options, Studio, in_thread, rule
from tests.integration.shop import Shop, status_of, wait_for


def lines(rows: int) -> list[str]:
    return [json.dumps({"id": f"r{row}", "prompt": f"a banner [[r{row}]]"}) for row in range(1, rows + 1)]


@pytest.fixture
def damaged(shop):
    """A manifest of 3,000 rows whose gzip data ends in the middle, and its mend."""
    whole = "\n".join(lines(3000)).encode()
    packed = gzip.compress(whole)
    path = shop.folder / "shop.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 20])

    def mend(text: bytes = whole) -> None:
        path.write_bytes(gzip.compress(b"\n".join(text.splitlines()[:300])))

    return mend


def test_what_was_read_of_a_damaged_manifest_is_settled_and_the_mended_one_goes_on(shop, emulator, damaged):
    done = shop.retouch("run", "shop.jsonl.gz", "--out", "out", "--json", "--yes")

    assert done.returncode == 3, done.stderr
    status = status_of(done)
    assert status["state"] == "halted"
    assert "the gzip data is truncated or damaged" in status["state_reason"]
    assert "run the same command again" in status["state_reason"]
    paid = emulator.ledger.summary()["paid"]
    assert status["outcomes"]["done"] == paid == len(shop.records()) > 0
    assert json.loads((shop.out / "report.json").read_text()) == status

    damaged()
    again = shop.retouch("run", "shop.jsonl.gz", "--out", "out", "--json", "--yes")

    assert again.returncode == 0, again.stderr
    assert status_of(again)["outcomes"]["done"] == 300
    assert emulator.ledger.summary()["paid"] == 300
    shop.check_pictures()


def test_a_mended_manifest_with_other_rows_before_is_refused_and_nothing_is_lost(shop, emulator, damaged):
    shop.retouch("run", "shop.jsonl.gz", "--out", "out", "--yes")
    kept = {name: (shop.out / name).read_bytes() for name in ("results.jsonl", "report.json")}
    calls = emulator.ledger.summary()["calls"]

    damaged("\n".join(["{}", *lines(300)]).encode())
    refused = shop.retouch("run", "shop.jsonl.gz", "--out", "out", "--yes", "--json")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "has changed since this job began, in row 1 (line 1)" in refused.stderr
    assert "--reuse" in refused.stderr
    assert emulator.ledger.summary()["calls"] == calls
    assert {name: (shop.out / name).read_bytes() for name in kept} == kept


def test_without_a_terminal_to_ask_on_nothing_of_a_damaged_manifest_is_called(shop, emulator, damaged):
    done = shop.retouch("run", "shop.jsonl.gz", "--out", "out")

    assert done.returncode == 2
    assert "the gzip data is truncated or damaged" in done.stderr
    assert emulator.ledger.summary()["calls"] == 0


def test_a_job_whose_manifest_is_gone_can_be_cancelled(shop, emulator, damaged):
    emulator.order(rule("status", code=403, message="no"))
    shop.retouch("run", "shop.jsonl.gz", "--out", "out", "--yes")
    (shop.folder / "shop.jsonl.gz").unlink()

    done = shop.retouch("cancel", "out", "--json")

    assert done.returncode == 0, done.stderr
    status = status_of(done)
    assert (status["state"], status["rows"]) == ("cancelled", None)
    assert "rows that were not read have no record" in status["state_reason"]
    assert len(shop.records()) == status["outcomes"]["cancelled"] > 0


def test_a_changed_manifest_leaves_results_and_report_of_a_finished_job_alone(shop):
    shop.manifest(3)
    shop.run()
    kept = {name: (shop.out / name).read_bytes() for name in ("results.jsonl", "report.json")}
    shop.manifest(4)

    done = shop.run()

    assert (done.returncode, done.stdout) == (2, "")
    assert "has changed since" in done.stderr
    assert {name: (shop.out / name).read_bytes() for name in kept} == kept


def test_rows_below_a_trial_may_be_changed_before_the_rest_is_run(shop, emulator):
    shop.manifest(5)
    shop.run("--limit", "2")
    shop.manifest(6)

    done = shop.run()

    assert done.returncode == 0, done.stderr
    assert emulator.ledger.summary()["calls"] == 6


def test_without_a_key_the_job_is_halted_and_tells_what_is_settled(shop, emulator):
    shop.manifest(4)
    assert shop.run("--limit", "2").returncode == 0
    key = shop.environment.pop("GEMINI_API_KEY")

    done = shop.run()

    assert done.returncode == 3
    assert "no API key: set GEMINI_API_KEY" in done.stderr
    status = status_of(done)
    assert status["state"] == "halted"
    assert status["state_reason"].startswith("no API key: set GEMINI_API_KEY")
    assert (status["outcomes"]["done"], status["calls"]) == (2, 2)
    assert json.loads((shop.out / "report.json").read_text()) == status
    assert len(shop.records()) == 2
    shop.environment["GEMINI_API_KEY"] = key
    assert shop.run().returncode == 0
    assert emulator.ledger.summary()["calls"] == 4


def test_rows_at_fault_are_told_of_though_their_shard_is_not_settled(shop, emulator):
    shop.manifest(6)
    for row in (1, 2, 6):
        (shop.folder / f"p{row}.png").unlink()
    emulator.order(rule("status", code=403, message="no"))

    done = shop.run()

    assert done.returncode == 3, done.stderr
    outcomes = status_of(done)["outcomes"]
    settled = [record["row"] for record in shop.records()]
    assert {1, 2} <= set(settled) <= {1, 2, 6}
    assert (outcomes["invalid"], outcomes["pending"]) == (len(settled), 6 - len(settled))
    kept = shop.out.glob(".retouch/shards/000001/r1/*.record")
    assert sorted(int(path.stem) for path in kept) == settled


def test_a_closed_terminal_lets_calls_in_flight_finish(shop, emulator):
    emulator.order(rule("picture", latency="1.5"))
    shop.manifest(20)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(shop.folder)
        words = [sys.executable, "-m", "jobs", "run", "shop.csv", "--out", "out", "--max-in-flight", "4"]
        os.execve(sys.executable, words, shop.environment | {"TERM": "xterm"})
    wait_for(lambda: emulator.ledger.summary()["in_flight"] >= 4)

    os.close(terminal)
    _, ended = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(ended) == 130
    status = json.loads((shop.out / "report.json").read_text())
    assert (status["calls"], status["calls_unknown"]) == (4, 0)
    assert status["outcomes"]["done"] == len(shop.records()) == 4


@pytest.mark.parametrize(("above", "most"), [(0, 0.0), (0.3, 0.3)])
def test_who_says_no_has_paid_no_more_than_may_be_spent_unasked(shop, emulator, above, most):
    shop.manifest(40)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(shop.folder)
        words = [
            sys.executable,
            "-m",
            "jobs",
            "run",
            "shop.csv",
            "--out",
            "out",
            "--confirm-above",
            str(above),
        ]
        os.execve(sys.executable, words, shop.environment | {"TERM": "xterm"})
    shown = b""
    while b"Continue?" not in shown:
        shown += os.read(terminal, 4096)

    os.write(terminal, b"n\n")
    with contextlib.suppress(OSError):  # the terminal is gone with its process
        while os.read(terminal, 4096):
            pass
    _, ended = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(ended) == 3
    status = json.loads((shop.out / "report.json").read_text())
    assert status["state_reason"].startswith("not confirmed: ")
    assert status["cost_usd"] <= most
    assert status["calls"] == emulator.ledger.summary()["calls"]


def test_ctrl_c_twice_while_results_are_written_ends_at_once(shop, emulator):
    emulator.order(rule(hold=True))
    shop.manifest(1)
    running = shop.start("run", "shop.csv", "--out", "out")
    wait_for(lambda: emulator.ledger.summary()["calls"] == 1)
    (shop.out / "results.jsonl").mkdir()
    emulator.order()

    for said in ("store_failed", "Stopping: "):
        wait_for(lambda said=said: said in running.err)
        running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=15)

    assert running.returncode == 130, err
    assert "Ended at once: `retouch report " in err
    assert "Traceback" not in err


def test_nohup_runs_on(shop, emulator):
    emulator.order(rule("picture", latency="0.5"))
    shop.manifest(4)
    running = subprocess.Popen(
        ["nohup", sys.executable, "-m", "jobs", "run", "shop.csv", "--out", "out", "--max-in-flight", "2"],
        cwd=shop.folder,
        env=shop.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: emulator.ledger.summary()["in_flight"] >= 2)

    running.send_signal(signal.SIGHUP)

    assert running.wait(60) == 0


def test_a_certificate_that_is_not_trusted_halts_and_names_the_mend(tmp_path):
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with in_thread(Options(studio=Studio(shrink=6, format="jpeg"), ssl_context=context)) as emulator:
        shop = Shop(tmp_path, emulator.url)
        shop.manifest(3)

        done = shop.run()

        assert done.returncode == 3, done.stderr
        status = status_of(done)
        assert (status["state"], status["calls"], status["outcomes"]["pending"]) == ("halted", 0, 3)
        assert "certificate is not trusted" in status["state_reason"]
        assert "SSL_CERT_FILE=" in status["state_reason"]
        shop.environment["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
        assert shop.run().returncode == 0


def test_a_model_that_is_not_there_is_told_with_those_that_were_meant(shop, emulator):
    shop.manifest(2)

    done = shop.run("--model", "gemini-nano-banana-2")

    assert done.returncode == 3
    assert status_of(done)["state_reason"].endswith("; did you mean gemini-nano-banana-2.1?")
    assert (
        "did you mean gemini-nano-banana-2.1?"
        in shop.retouch("check", "shop.csv", "--model", "gemini-nano-banana-2").stdout
    )


def test_a_plan_that_is_gone_is_told_in_one_sentence(shop, emulator):
    shop.manifest(60)
    assert shop.run("--limit", "55").returncode == 0
    for name in ("plan", "folded"):
        (shop.out / ".retouch/shards/000002/r1" / name).unlink()

    done = shop.run("--limit", "55")

    assert done.returncode == 2
    assert "the plan of shard 2 is gone; start the job again in a new folder" in done.stderr
    assert emulator.ledger.summary()["paid"] == 55


@pytest.mark.parametrize("place", ["results.jsonl", "results.csv", "report.json", "report.html", "images"])
def test_what_stands_where_the_job_writes_is_said_before_anything_is_called(shop, emulator, place):
    shop.manifest(2)
    assert shop.run("--limit", "1").returncode == 0
    (shop.out / place).rename(shop.folder / "away")
    if place == "images":
        (shop.out / place).write_text("a file")
    else:
        (shop.out / place).mkdir()

    refused = shop.run()

    assert refused.returncode == 2
    (said,) = refused.stderr.splitlines()
    assert said.startswith(f"retouch: {shop.out / place} is a f")
    assert said.endswith("there: move it away")
    assert emulator.ledger.summary()["calls"] == 1


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_before_anything_is_called(shop, emulator):
    shop.manifest(2)
    assert shop.run("--limit", "1").returncode == 0
    (shop.out / "images").chmod(0o555)
    obeying = (
        ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    )

    refused = subprocess.run(
        [*obeying, sys.executable, "-m", "jobs", "run", "shop.csv", "--out", "out"],
        cwd=shop.folder,
        env=shop.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 2
    assert f"{shop.out / 'images'} cannot be written: give this user permission" in refused.stderr
    assert emulator.ledger.summary()["calls"] == 1


def test_an_answer_that_was_cut_keeps_its_status(shop, emulator):
    emulator.order(rule("cut_body", times_per_token=1))
    shop.manifest(1)

    assert shop.run().returncode == 0

    assert [attempt["http_status"] for attempt in shop.records()[0]["attempts"]] == [200, 200]


def test_a_record_names_the_column_at_fault_and_what_was_not_sent(shop):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(shop.folder / "two.gif", save_all=True, append_images=frames[1:])
    (shop.folder / "shop.csv").write_text(
        "image,prompt,image_size\ntwo.gif,p [[1]],\ngone.png,p,\ntwo.gif,p,9K\n"
    )

    shop.run()

    first, gone, size = shop.records()
    assert first["notes"] == ["two.gif has several frames or pages; only the first was sent"]
    assert gone["reason"].startswith("missing: line 3, column image: ")
    assert size["reason"].startswith("option: line 4, column image_size: ")
