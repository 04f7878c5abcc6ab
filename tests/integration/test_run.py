from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from pipeline.gemini.emulator import Latency, Options, Studio, in_thread, rule
from tests.integration.shop import KEY, Shop, status_of, wait_for

SMALL = Studio(shrink=6, format="jpeg")


@pytest.mark.parametrize("kind", ["jpeg", "webp", "avif", "heic"])
def test_a_picture_of_any_kind_that_decodes_is_kept_as_it_came(shop, emulator, kind):
    emulator.order(rule("picture", file_format=kind))
    shop.manifest(1)

    assert shop.run().returncode == 0
    ((picture,),) = [record["images"] for record in shop.records()]
    assert (picture["mime_type"], picture["path"]) == (
        f"image/{kind}",
        f"images/r1.{kind.replace('jpeg', 'jpg')}",
    )
    assert shop.retouch("verify", "out").returncode == 0


def test_every_row_is_edited_verified_and_recorded(shop, emulator):
    shop.manifest(12)

    done = shop.run()

    assert done.returncode == 0, done.stderr
    status = status_of(done)
    assert status["state"] == "finished"
    assert status["outcomes"] == {
        "done": 12,
        "blocked": 0,
        "failed": 0,
        "invalid": 0,
        "cancelled": 0,
        "pending": 0,
    }
    assert (status["calls"], status["calls_unknown"], status["in_flight"]) == (12, 0, 0)
    assert status["cost_usd"] > 12 * 0.0336
    records = shop.records()
    assert [record["row"] for record in records] == list(range(1, 13))
    assert [record["line"] for record in records] == list(range(2, 14))
    assert all(record["attempts"][0]["prompt_variant"] == "plain" for record in records)
    shop.check_pictures()
    assert emulator.ledger.summary()["paid"] == 12
    assert json.loads((shop.out / "report.json").read_text()) == status


def test_a_second_run_of_the_same_command_calls_for_nothing(shop, emulator):
    shop.manifest(5)
    shop.run()
    before = (shop.out / "results.jsonl").read_bytes()

    again = shop.run()

    assert again.returncode == 0
    assert emulator.ledger.summary()["calls"] == 5
    assert (shop.out / "results.jsonl").read_bytes() == before


def test_a_larger_limit_goes_on_with_the_rest(shop, emulator):
    shop.manifest(8)
    assert shop.run("--limit", "3").returncode == 0
    assert emulator.ledger.summary()["calls"] == 3

    done = shop.run()

    assert done.returncode == 0
    assert emulator.ledger.summary()["calls"] == 8
    assert [record["row"] for record in shop.records()] == list(range(1, 9))


def test_a_trial_of_the_first_rows_is_gone_on_with_and_not_paid_for_again(shop, emulator):
    shop.manifest(6)
    assert shop.retouch("run", "shop.csv", "--limit", "2", "--json").returncode == 0
    first = shop.retouch("run", "shop.csv", "--json")
    assert status_of(first)["outcomes"]["done"] == 6
    assert emulator.ledger.summary()["calls"] == 6

    again = shop.retouch("run", "shop.csv", "--limit", "2", "--json")

    assert status_of(again)["job"] != status_of(first)["job"]


def test_a_trial_whose_manifest_is_then_mended_is_let_be(shop, emulator):
    shop.manifest(3)
    trial = status_of(shop.retouch("run", "shop.csv", "--limit", "2", "--json"))
    shop.manifest(3, prompt="make it red")

    mended = shop.retouch("run", "shop.csv", "--json")

    assert (status_of(mended)["rows"], status_of(mended)["outcomes"]["done"]) == (3, 3)
    assert status_of(mended)["job"] != trial["job"]
    assert f"{trial['job']}, of the same manifest and options, has ended" in mended.stderr
    assert emulator.ledger.summary()["calls"] == 5


def test_a_smaller_limit_never_pays_for_more(shop, emulator):
    shop.manifest(6)
    refused = shop.retouch("run", "shop.csv", "--confirm-above", "0.01")
    assert (refused.returncode, emulator.ledger.summary()["calls"]) == (2, 0)

    trial = shop.retouch("run", "shop.csv", "--limit", "2", "--yes", "--json")

    assert "has ended" not in trial.stderr
    assert (status_of(trial)["rows"], emulator.ledger.summary()["calls"]) == (2, 2)


def test_a_job_that_is_under_way_is_not_cut_by_a_smaller_limit(shop, emulator):
    shop.manifest(6)
    assert shop.run("--budget", "0.1").returncode == 3
    calls = emulator.ledger.summary()["calls"]

    cut = shop.run("--limit", "1")

    assert cut.returncode == 2
    assert "includes 5 rows beyond --limit 1: continue with --limit left out" in cut.stderr
    assert emulator.ledger.summary()["calls"] == calls
    assert shop.run("--limit", "6").returncode == 0


def test_each_variant_of_the_prompt_has_its_try(shop, emulator):
    emulator.order(rule("text_only", times_per_token=2))
    shop.manifest(3)

    assert shop.run().returncode == 0

    for record in shop.records():
        attempts = [(a["verdict"], a["prompt_variant"], a["counted"]) for a in record["attempts"]]
        assert attempts == [
            ("text_only", "plain", True),
            ("text_only", "explicit", True),
            ("image", "image_only", True),
        ]
        assert all(attempt["cost_usd"] > 0 for attempt in record["attempts"])
    shop.check_pictures()


def test_a_row_that_never_yields_a_picture_fails_with_its_reason(shop, emulator):
    emulator.order(rule("text_only", contains="[[r2]]"), rule("prompt_blocked", contains="[[r3]]"))
    shop.manifest(4)

    done = shop.run()

    assert done.returncode == 1
    outcomes = [(record["outcome"], (record["reason"] or "").split(":")[0]) for record in shop.records()]
    assert outcomes == [("done", ""), ("failed", "text_only"), ("blocked", "blocked"), ("done", "")]
    assert [len(record["attempts"]) for record in shop.records()] == [1, 3, 1, 1]
    shop.check_pictures()


WAITED_OUT = [
    {"answer": "rate_limited", "retry_delay": 0.2, "times_per_token": 1},
    {"answer": "bare_429", "times_per_token": 1},
    {"answer": "status", "code": 503, "times_per_token": 2},
    {"answer": "gateway_html", "code": 502, "times_per_token": 1},
]


def test_what_is_not_the_rows_fault_is_waited_out_and_not_counted(shop, emulator):
    faults = [rule(matches=rf"\[\[r{row}\]\]", **words) for row, words in enumerate(WAITED_OUT, 1)]
    emulator.order(*faults)
    shop.manifest(len(faults))

    done = shop.run("--max-in-flight", "1")

    assert done.returncode == 0, done.stderr
    for record in shop.records():
        counted = [attempt for attempt in record["attempts"] if attempt["counted"]]
        assert [attempt["prompt_variant"] for attempt in counted] == ["plain"]
        assert record["uncounted"] == len(record["attempts"]) - 1
    assert sum(record["uncounted"] for record in shop.records()) == 5
    assert status_of(done)["calls_unknown"] == 0
    shop.check_pictures()


RETRIED = {
    "no_image": "no_image",
    "truncated": "truncated",
    "bad_base64": "bad_image",
    "undecodable": "bad_image",
    "cut_picture": "bad_image",
    "empty": "no_image",
    "null": "no_image",
    "list": "no_image",
    "not_json": "no_image",
    "no_candidates": "no_image",
    "unchanged": "unchanged",
    "cut_body": "network",
    "reset": "network",
}


def test_a_bad_answer_is_tried_again(shop, emulator):
    emulator.order(
        *(
            rule(answer, times_per_token=1, matches=rf"\[\[r{row}\]\]")
            for row, answer in enumerate(RETRIED, 1)
        )
    )
    shop.manifest(len(RETRIED))

    done = shop.run()

    assert done.returncode == 0, done.stderr
    for record, verdict in zip(shop.records(), RETRIED.values(), strict=True):
        attempts = [(attempt["verdict"], attempt["prompt_variant"]) for attempt in record["attempts"]]
        assert attempts == [(verdict, "plain"), ("image", "explicit")]
    assert status_of(done)["calls_unknown"] == 2
    shop.check_pictures()


def test_a_call_without_an_answer_ends_at_the_deadline(shop, emulator):
    emulator.order(rule("hang", times_per_token=1))
    shop.manifest(2)

    done = shop.run("--timeout", "0.7")

    assert done.returncode == 0, done.stderr
    assert [attempt["verdict"] for attempt in shop.records()[0]["attempts"]] == ["timeout", "image"]
    assert status_of(done)["calls_unknown"] == 2


def test_a_deadline_that_leaves_no_time_to_send_halts_the_job(shop, emulator):
    shop.manifest(2)

    done = shop.run("--timeout", "1e-9")

    assert done.returncode == 3
    assert "not sent within 1e-09 s" in status_of(done)["state_reason"]
    assert (status_of(done)["calls"], emulator.ledger.summary()["calls"]) == (0, 0)
    assert shop.run("--timeout", "300").returncode == 0


def test_a_dribbling_body_ends_at_the_deadline(shop, emulator):
    emulator.order(rule("slow_body", bytes_per_second=50, times_per_token=1))
    shop.manifest(1)

    done = shop.run("--timeout", "1")

    assert done.returncode == 0, done.stderr
    assert shop.records()[0]["attempts"][0]["verdict"] == "timeout"


HALTS = [
    (rule("status", code=401, message="no"), "denied"),
    (rule("status", code=402, message="prepay"), "denied"),
    (rule("status", code=403, message="no permission"), "denied"),
    (rule("quota_zero"), "denied"),
    (rule("status", code=404, status_name="NOT_FOUND", message="models/x is not found"), "not_found"),
    (rule("status", code=400, status_name="FAILED_PRECONDITION", message="region"), "denied"),
    (rule("refused", finish_reason="PUP_LIMITED_DISABLED"), "denied"),
]


@pytest.mark.parametrize(
    ("fault", "word"), HALTS, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_what_no_row_can_mend_halts_the_job_once(shop, emulator, fault, word):
    emulator.order(fault)
    shop.manifest(30)

    done = shop.run("--max-in-flight", "2")

    assert done.returncode == 3, done.stderr
    status = status_of(done)
    assert status["state"] == "halted"
    assert status["state_reason"].startswith(f"{word}: ")
    assert status["outcomes"]["pending"] == 30
    assert emulator.ledger.summary()["calls"] <= 4
    assert "Traceback" not in done.stderr


def test_after_a_halt_the_same_command_goes_on(shop, emulator):
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(4)
    assert shop.run().returncode == 3
    emulator.order()

    done = shop.run()

    assert done.returncode == 0, done.stderr
    assert status_of(done)["state"] == "finished"


def test_a_wrong_key_is_one_sentence(shop, tmp_path, emulator):
    shop.manifest(3)
    shop.environment["GEMINI_API_KEY"] = "wrong"

    done = shop.run()

    assert done.returncode == 3
    assert "API key not valid" in status_of(done)["state_reason"]
    assert "check the key" in status_of(done)["state_reason"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("GOOGLE_GEMINI_BASE_URL", "127.0.0.1:80", "http(s)://host"), ("GEMINI_API_KEY", "a b", "character")],
)
def test_access_that_cannot_be_used_is_refused_before_there_is_a_job(shop, name, value, said):
    shop.manifest(2)
    shop.environment[name] = value

    done = shop.run()

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not shop.out.exists()


def test_no_key_at_all_is_said_before_anything_else(shop, emulator):
    shop.manifest(1)
    del shop.environment["GEMINI_API_KEY"]

    done = shop.run()

    assert done.returncode == 3
    assert "GEMINI_API_KEY" in done.stderr
    assert emulator.ledger.summary()["calls"] == 0


def test_the_same_bad_request_five_times_halts(shop, emulator):
    emulator.order(rule("status", code=400, status_name="INVALID_ARGUMENT", message="Unknown name"))
    shop.manifest(20)

    done = shop.run("--max-in-flight", "1")

    assert done.returncode == 3
    status = status_of(done)
    assert status["state"] == "halted"
    assert status["outcomes"]["failed"] == 4
    assert emulator.ledger.summary()["calls"] == 5


def test_calls_whose_price_nobody_tells_count_against_the_budget_of_the_next_run(shop, emulator):
    """A proxy that leaves out the usage: otherwise each run of the command would spend the budget anew."""
    emulator.order(rule("empty"))
    shop.manifest(10)

    assert shop.run("--budget", "0.2").returncode == 3

    calls = emulator.ledger.summary()["calls"]
    assert calls > 1
    again = shop.run("--budget", "0.2")
    assert again.returncode == 3, again.stderr
    assert emulator.ledger.summary()["calls"] == calls
    assert status_of(again)["calls_unpriced"] == calls


def test_drafts_pass_no_budget_once_they_were_seen(shop, emulator):
    """They are billed as pictures, and no estimate can know of them."""
    emulator.order(rule("many_images", images=4))
    shop.manifest(10)

    done = shop.run("--budget", "0.5", "--max-in-flight", "1")

    assert done.returncode == 3
    assert 0.3 < status_of(done)["cost_usd"] <= 0.5


def test_a_budget_stops_the_job_before_it_is_passed(shop, emulator):
    shop.manifest(10)

    done = shop.run("--budget", "0.2")

    assert done.returncode == 3
    status = status_of(done)
    assert status["state"] == "paused"
    assert status["state_reason"].startswith("budget: ")
    assert 0 < status["cost_usd"] <= status["budget_usd"] == 0.2
    assert shop.run("--budget", "5").returncode == 0
    assert emulator.ledger.summary()["paid"] == 10


def test_a_question_without_a_terminal_calls_nothing(shop, emulator):
    shop.manifest(10)

    done = shop.run("--confirm-above", "0.1")

    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert emulator.ledger.summary()["calls"] == 0
    assert shop.run("--confirm-above", "0.1", "--yes").returncode == 0


def test_a_pace_is_held(shop, emulator):
    shop.manifest(7)

    started = time.monotonic()
    done = shop.run("--rpm", "120")

    assert done.returncode == 0
    assert time.monotonic() - started >= 6 * 0.5


def test_rows_at_fault_are_invalid_and_the_rest_goes_on(shop, emulator):
    shop.manifest(2)
    (shop.folder / "text.png").write_text("this is no picture")
    (shop.folder / "empty.png").write_bytes(b"")
    with (shop.folder / "shop.csv").open("a") as file:
        file.write("r1,p1.png,a repeated id\n")
        file.write(
            "gone,nowhere.png,p\nempty,empty.png,p\ntext,text.png,p\nup,../secret.png,p\nname,p1.png,{nothing}\n"
        )
        file.write("local,http://127.0.0.1:1/x.png,p\n")

    done = shop.run()

    assert done.returncode == 1
    faults = {record["id"]: record for record in shop.records() if record["outcome"] == "invalid"}
    assert set(faults) == {"r1~row3", "gone", "empty", "text", "up", "name", "local"}
    assert all(record["reason"] for record in faults.values())
    assert status_of(done)["outcomes"]["done"] == 2
    assert emulator.ledger.summary()["calls"] == 2


def test_generation_from_a_prompt_and_standard_input(shop, emulator):
    rows = "\n".join(json.dumps({"prompt": f"a banner [[b{n}]]", "id": f"b{n}"}) for n in range(3))

    done = shop.retouch("run", "-", "--out", "out", "--json", stdin=rows)

    assert done.returncode == 0, done.stderr
    assert [record["id"] for record in shop.records()] == ["b0", "b1", "b2"]
    shop.check_pictures()


def test_variations_are_rows_of_their_own(shop, emulator):
    shop.manifest(2)

    assert shop.run("--repeat", "3").returncode == 0

    assert [record["id"] for record in shop.records()] == ["r1-1", "r1-2", "r1-3", "r2-1", "r2-2", "r2-3"]
    assert [record["row"] for record in shop.records()] == [1, 2, 3, 4, 5, 6]


def test_another_command_on_the_same_folder_is_refused(shop):
    shop.manifest(1)
    shop.run()

    done = shop.run("--aspect-ratio", "1:1")

    assert done.returncode == 2
    assert "--aspect-ratio" in done.stderr


def test_a_folder_that_another_run_holds_is_refused(shop, emulator):
    emulator.order(rule(hold=True))
    shop.manifest(2)
    first = shop.start("run", "shop.csv", "--out", "out", "--json")
    wait_for(lambda: emulator.ledger.summary()["calls"] > 0)

    second = shop.run()

    assert second.returncode == 2
    assert "is held by process" in second.stderr
    emulator.order()
    assert first.wait(60) == 0
    first.communicate()


def test_ctrl_c_lets_calls_in_flight_finish_and_says_how_to_go_on(shop, emulator):
    emulator.order(rule(hold=True))
    shop.manifest(40)
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "4")
    wait_for(lambda: emulator.ledger.summary()["in_flight"] >= 4)

    running.send_signal(signal.SIGINT)
    wait_for(lambda: "Ctrl-C again ends at once" in running.err)
    emulator.order()
    out, err = running.communicate(timeout=60)

    assert running.returncode == 130
    assert json.loads(out)["outcomes"]["done"] == 4
    assert json.loads(out)["calls_unknown"] == 0
    assert "run the same command again" in json.loads(out)["state_reason"]
    assert "Traceback" not in err
    done = shop.run()
    assert done.returncode == 0
    summary = emulator.ledger.summary()
    assert (summary["paid"], summary["pictures_made_more_than_once"]) == (40, {})
    shop.check_pictures()


def test_a_killed_run_goes_on_without_losing_or_repeating(shop, emulator):
    emulator.order(rule("picture", latency="uniform:0.1:0.4"))
    shop.manifest(60)
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "8")
    wait_for(lambda: emulator.ledger.summary()["answered"] >= 15)

    running.kill()
    running.communicate()
    done = shop.run()

    assert done.returncode == 0, done.stderr
    assert [record["row"] for record in shop.records()] == list(range(1, 61))
    shop.check_pictures()
    summary = emulator.ledger.summary()
    unknown = status_of(done)["calls_unknown"]
    assert summary["paid"] <= 60 + unknown
    assert unknown <= 8


def test_the_key_is_in_no_file_and_in_no_line(shop, emulator, tmp_path):
    emulator.order(rule("status", code=400, message=f"API key {KEY} is bad", contains="[[r2]]"))
    shop.manifest(3)

    done = shop.run("--debug", "--log-file", "log.txt")

    assert KEY not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    assert KEY not in repr(list(emulator.ledger.calls({})))


def test_a_key_that_is_echoed_with_escapes_is_hidden_all_the_same(shop, emulator):
    emulator.order(rule("text_only", text=f"your key is {KEY}"))
    shop.manifest(1)

    shop.run()

    assert KEY not in (shop.out / "results.jsonl").read_text()


def test_an_option_that_the_model_does_not_take_is_bad_usage(shop, emulator):
    shop.manifest(1)

    done = shop.run("--image-size", "2k")

    assert done.returncode == 2
    assert "2K" in done.stderr
    assert not shop.out.exists()


def test_ctrl_c_twice_ends_at_once_and_still_reports(shop, emulator):
    emulator.order(rule(times=3), rule(hold=True))
    shop.manifest(8)
    running = shop.start("run", "shop.csv", "--out", "out", "--json", "--max-in-flight", "4")
    wait_for(
        lambda: emulator.ledger.summary()["answered"] >= 3 and emulator.ledger.summary()["in_flight"] >= 4
    )

    running.send_signal(signal.SIGINT)
    wait_for(lambda: "Ctrl-C again ends at once" in running.err)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)

    assert running.returncode == 130, err
    status = json.loads(out)
    assert status["outcomes"]["done"] == 3
    assert status["calls_unknown"] == 4
    assert len(shop.records()) == 3
    assert "Traceback" not in err


def test_latency_does_not_hold_memory_or_order(tmp_path):
    with in_thread(Options(studio=SMALL, latency=Latency.parse("lognormal:0.1:1"), seed=4)) as emulator:
        shop = Shop(tmp_path, emulator.url)
        shop.manifest(30)
        assert shop.run("--max-in-flight", "16").returncode == 0
        assert [record["row"] for record in shop.records()] == list(range(1, 31))
        shop.check_pictures()


def test_a_folder_of_pictures_is_a_manifest(shop, emulator):
    shop.manifest(3)
    Path(shop.folder, "shop.csv").unlink()

    done = shop.retouch("run", ".", "--prompt", "make it blue", "--out", "../out-of-it", "--json")

    assert done.returncode == 0, done.stderr
    assert status_of(done)["outcomes"]["done"] == 3


def test_a_budget_takes_no_model_whose_price_is_not_known(shop, emulator):
    shop.manifest(1)
    refused = shop.retouch("run", "shop.csv", "--budget", "5", "--model", "gemini-9-image")
    assert refused.returncode == 2
    assert "a budget cannot be applied" in refused.stderr

    (shop.folder / "own.csv").write_text(
        "image,prompt,model\np1.png,x [[1]],gemini-9-image\np1.png,y [[2]],\n"
    )
    ended = shop.retouch("run", "own.csv", "--budget", "5", "--out", "own", "--json")
    outcomes = json.loads(ended.stdout)["outcomes"]
    assert (outcomes["invalid"], outcomes["done"]) == (1, 1)
    assert [call.model for call in emulator.ledger.calls()] == ["gemini-nano-banana-2.1"]
