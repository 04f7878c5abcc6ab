"""``retouch run`` tells a webhook and a command what becomes of its job."""

from __future__ import annotations

import base64
import json
import os
import stat
import sys

import pytest
from standardwebhooks import Webhook

from pipeline.gemini.emulator import rule
from tests.integration.receiver import receiving
from tests.integration.shop import KEY, status_of

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes and more").decode()
TOKEN = "token-that-must-not-leak"


@pytest.fixture
def signed(shop):
    shop.environment["RETOUCH_NOTIFY_SECRET"] = SECRET
    return shop


def told(shop) -> list[dict]:
    return json.loads(shop.retouch("status", "out", "--json").stdout).get("told", [])


def leaks(shop) -> list[str]:
    """Every file of the job and of the store in which the webhook's path can be read."""
    files = [
        path for folder in (shop.out, shop.folder / "store") for path in folder.rglob("*") if path.is_file()
    ]
    return [path.name for path in files if TOKEN.encode() in path.read_bytes()]


def test_a_webhook_is_told_once_signed_although_it_fails_first(signed):
    signed.manifest(3)
    with receiving(500) as receiver:
        done = signed.run("--notify", receiver.url, "--notify-private", "--debug")
        again = signed.run("--notify", receiver.url, "--notify-private")

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    first, second = receiver.posts
    assert first.id == second.id
    assert first.body == second.body
    for post in receiver.posts:
        assert Webhook(SECRET).verify(post.body, post.headers)["type"] == "job.finished"
    assert second.json["data"] == status_of(done)
    assert not second.path.endswith("/"), "the path is sent as it was given"
    assert TOKEN not in done.stderr + done.stdout
    assert leaks(signed) == ["notify"]
    assert [(event["event"], event["faults"]) for event in told(signed)] == [("finished", [])]


def test_what_may_let_somebody_in_is_for_those_alone_who_work_on_the_job(shop):
    """A webhook, and a picture's URL that cannot be read: in plans, and in standard input, which is kept."""
    row = json.dumps(
        {"image": f"http://a:{TOKEN}@127.0.0.1:9/{TOKEN}?sig={TOKEN}", "prompt": "as in {image}"}
    )
    with receiving() as receiver:
        url = receiver.url
        done = shop.retouch(
            *("run", "-", "--out", "out", "--allow-private-urls", "--notify", url, "--notify-private"),
            stdin=row.replace(f"/{TOKEN}", "/a.png"),
        )
        (shop.folder / "photos").mkdir()
        options = ("photos", "--prompt", "p", "--notify", url, "--notify-private")
        added = shop.retouch("schedule", "add", "nightly", "--every", "1d", "--", *options)

    assert (done.returncode, added.returncode) == (1, 0), done.stderr + added.stderr
    holding = [
        path for path in shop.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert sorted(path.name for path in holding) == ["000001", "manifest.jsonl", "notify", "plan"]
    assert {stat.filemode(path.stat().st_mode) for path in holding} == {"-rw-------"}
    assert (shop.out / "report.html").stat().st_mode & stat.S_IROTH
    assert TOKEN not in done.stderr + done.stdout


def test_a_halt_and_going_on_after_it_are_told(shop, emulator):
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(2)
    with receiving() as receiver:
        options = ("--notify", receiver.url, "--notify-private")
        assert shop.run(*options).returncode == 3
        assert shop.run(*options).returncode == 3
        assert receiver.types == ["job.halted"], "the same halt is not told twice"
        emulator.order()
        assert shop.run(*options).returncode == 0

    assert receiver.types == ["job.halted", "job.finished"]
    assert receiver.posts[0].json["data"]["state_reason"].startswith("denied: ")
    assert "webhook-signature" not in receiver.posts[0].headers


def test_a_budget_that_is_used_up_and_failures_are_told(shop, emulator):
    emulator.order(rule("text_only", contains="[[r1]]"))
    shop.manifest(10)
    with receiving() as receiver:
        options = ("--notify", receiver.url, "--notify-private", "--notify-failures", "0", "--attempts", "1")
        assert shop.run("--budget", "0.2", "--max-in-flight", "1", *options).returncode == 3

    assert sorted(receiver.types) == ["job.failures", "job.paused"]
    paused = next(post.json for post in receiver.posts if post.json["type"] == "job.paused")
    assert "budget" in paused["data"]["state_reason"]


def test_slack_is_sent_text(shop):
    shop.manifest(1)
    with receiving() as receiver:
        shop.run("--notify", receiver.url, "--notify-private", "--notify-format", "slack")

    (post,) = receiver.posts
    assert list(post.json) == ["text"]
    assert "has finished" in post.json["text"]
    assert "1 done of 1 row;" in post.json["text"]


def test_a_webhook_that_is_gone_harms_no_job_and_status_says_so(shop):
    shop.manifest(1)
    with receiving(404) as receiver:
        done = shop.run("--notify", receiver.url, "--notify-private")

    assert done.returncode == 0
    assert len(receiver.posts) == 1, "what cannot pass is not tried again"
    fault = f"{receiver.url.partition('/hook')[0]} answered 404"
    assert fault in done.stderr
    assert TOKEN not in done.stderr
    assert [event["faults"] for event in told(shop)] == [[fault]]
    assert f": notification failed: {fault}" in shop.retouch("status", "out").stdout


def test_a_redirect_is_not_followed(shop):
    shop.manifest(1)
    with receiving() as elsewhere, receiving(307) as receiver:
        receiver.location = elsewhere.url
        done = shop.run("--notify", receiver.url, "--notify-private")

    assert "answered 307, which is not followed" in done.stderr
    assert (len(receiver.posts), len(elsewhere.posts)) == (1, 0)


def test_a_private_address_is_refused_before_anything_is_called(shop, emulator):
    shop.manifest(1)
    with receiving() as receiver:
        done = shop.run("--notify", receiver.url)

    assert done.returncode == 2
    assert "--notify-private" in done.stderr
    assert TOKEN not in done.stderr
    assert (receiver.posts, emulator.ledger.summary()["calls"]) == ([], 0)


HOOK = """
import json, os, sys
with open("told.jsonl", "a") as file:
    print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "stdin": json.load(sys.stdin)}), file=file)
print("this is talk")
"""


def test_a_command_is_told_without_a_shell_and_without_the_key(signed):
    signed.manifest(2)
    (signed.folder / "hook.py").write_text(HOOK)
    done = signed.run("--notify-command", f"{sys.executable} hook.py '$HOME; ls' two")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "finished", "standard output is data alone"
    (called,) = map(json.loads, (signed.folder / "told.jsonl").read_text().splitlines())
    assert called["argv"] == ["$HOME; ls", "two"]
    facts = {
        name: called["env"][name] for name in ("JOB_EVENT", "JOB_STATE", "JOB_DONE", "JOB_ROWS", "JOB_OUT")
    }
    assert list(facts.values()) == ["finished", "finished", "2", "2", str(signed.out)]
    assert called["stdin"]["data"]["job"] == called["env"]["JOB_ID"]
    assert KEY not in str(called["env"])
    assert "GEMINI_API_KEY" not in called["env"]
    assert SECRET not in str(called["env"])
    assert called["env"]["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("nowhere/to-be-found", "cannot be run (No such file or directory)"),
        ("sh -c 'exit 7'", "sh ended with 7"),
    ],
)
def test_a_command_that_fails_harms_no_job(shop, command, said):
    shop.manifest(1)
    done = shop.run("--notify-command", command)

    assert done.returncode == 0
    assert said in done.stderr
    assert said in told(shop)[0]["faults"][0]


def test_whoever_cancels_a_job_that_nobody_works_on_tells(shop, emulator):
    emulator.order(rule("status", code=403, message="no"))
    shop.manifest(2)
    with receiving() as receiver:
        shop.run("--notify", receiver.url, "--notify-private")
        shop.retouch("cancel", "out")

    assert receiver.types == ["job.halted", "job.cancelled"]


def test_a_run_that_died_while_it_told_is_told_again_under_the_same_name(shop):
    shop.manifest(1)
    with receiving(0) as receiver:
        options = ("run", "shop.csv", "--out", "out", "--notify", receiver.url, "--notify-private")
        running = shop.start(*options)
        while not receiver.posts:
            assert running.poll() is None
        running.kill()
        running.communicate()
        at_once = shop.retouch(*options)
        assert len(receiver.posts) == 1, "whoever began to tell may still be at it"
        entry = shop.out / ".retouch/told/000001"
        entry.write_text(json.dumps(json.loads(entry.read_text()) | {"at": 1.0}))
        later = shop.retouch(*options)
        shop.retouch(*options)

    assert (at_once.returncode, later.returncode) == (0, 0)
    assert [post.id for post in receiver.posts] == [receiver.posts[0].id] * 2
    assert receiver.posts[0].json["data"] == receiver.posts[1].json["data"]
