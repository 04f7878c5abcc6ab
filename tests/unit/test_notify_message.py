"""What is sent, and what of it may be seen."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from pipeline.errors import UsageError
from pipeline.notify.command import words_of
from pipeline.notify.event import Event, EventKind
from pipeline.notify.journal import JournalEntry
from pipeline.notify.message import facts, message, slack
from pipeline.notify.settings import SECRET, NotifySettings, WebhookFormat, notify_of, secret_key
from pipeline.status import State, Status

SLACK = "https://hooks.slack.com/services/T0/B0/secret-token"
STATUS = Status(
    job="20260801-120000-ab12cd",
    out="s3://bucket/<spring>",
    state=State.HALTED,
    state_reason="denied: <!channel> the key & its project",
    rows=1000,
    outcomes={"done": 900, "blocked": 0, "failed": 7, "invalid": 0, "cancelled": 0, "pending": None},
    cost_usd=36.5,
)
ENTRY = JournalEntry(event=Event(kind=EventKind.HALTED, mark="x"), status=STATUS, at=1_785_585_600.0)


def asked(url: str | None, style: str | None = None, *, private: bool = False) -> NotifySettings:
    return notify_of(url=url, style=style, private=private, failures=None)


def test_a_message_is_the_status_object_with_its_type_and_time():
    body = json.loads(message(ENTRY))

    assert (body["type"], body["timestamp"]) == ("job.halted", "2026-08-01T12:00:00.000Z")
    assert body["data"]["job"] == STATUS.job
    assert body["data"]["outcomes"]["pending"] is None


def test_slack_reads_a_reason_as_text_and_not_as_orders():
    text = json.loads(slack(ENTRY))["text"]

    assert "&lt;!channel&gt; the key &amp; its project" in text
    assert "900 done, 7 failed of 1,000 rows; $36.50" in text
    assert "<" not in text


def test_facts_are_no_options_of_a_command_that_a_hook_may_call():
    said = facts(ENTRY)

    assert (said["JOB_EVENT"], said["JOB_ROWS"], said["JOB_DONE"], said["JOB_PENDING"]) == (
        "halted",
        "1000",
        "900",
        "",
    )
    assert not [name for name in said if name.startswith("RETOUCH")]


def test_the_signature_is_that_of_the_standard():
    # The example of https://github.com/standard-webhooks/standard-webhooks.
    key = secret_key({SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    at = datetime.fromtimestamp(1614265330, UTC)

    signed = Webhook(key).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["short", "whsec_", base64.b64encode(b"x" * 65).decode(), "ä" * 40])
def test_what_is_no_secret_is_refused_and_not_shown(text):
    with pytest.raises(UsageError, match="openssl rand") as refused:
        secret_key({SECRET: text})
    assert text == "whsec_" or text not in str(refused.value)


def test_slack_is_known_by_its_host_and_never_shown():
    notify = asked(SLACK)

    assert notify.format is WebhookFormat.SLACK
    assert not notify.signed
    assert notify.receiver == "https://hooks.slack.com"
    assert "secret-token" not in f"{notify} {notify!r}"
    assert asked("https://chat.example.com/hooks/x", "slack").format is WebhookFormat.SLACK
    assert asked("https://user:pw@example.com/x?token=y").receiver == "https://example.com"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9/token", "--notify-private"),
        ("http://localhost/token", "--notify-private"),
        ("http://169.254.169.254/token", "--notify-private"),
        ("ftp://example.com/token", "neither http:// nor https://"),
        ("token", "neither http:// nor https://"),
        ("http://example.com:port/token", "is not a URL"),
    ],
)
def test_a_webhook_that_cannot_be_meant_is_refused_without_being_shown(url, said):
    with pytest.raises(UsageError) as refused:
        asked(url)
    assert said in str(refused.value)
    assert "token" not in str(refused.value)


def test_a_private_webhook_is_taken_when_that_is_meant():
    assert asked("http://127.0.0.1:9/x", private=True).url == "http://127.0.0.1:9/x"


def test_a_command_is_split_as_a_shell_would_and_runs_in_none():
    assert words_of("notify-send 'job ended' $HOME;ls") == ("notify-send", "job ended", "$HOME;ls")
    with pytest.raises(UsageError, match="close its quotes"):
        words_of("echo 'x")
