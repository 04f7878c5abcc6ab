"""The messages to a webhook, to Slack and to a command; pure."""

from __future__ import annotations

import html

import msgspec

from pipeline.notify.event import EventKind
from pipeline.notify.journal import JournalEntry
from pipeline.record import Outcome
from pipeline.report.words import money, plural
from pipeline.status import Status
from pipeline.timestamp import utc

_ASKS = "it needs you"
_SAYS = {
    EventKind.FINISHED: "has finished",
    EventKind.CANCELLED: "was cancelled",
    EventKind.HALTED: f"is halted, {_ASKS}",
    EventKind.PAUSED: f"is paused, {_ASKS}",
    EventKind.WAITING: "is waiting",
    EventKind.FAILURES: "has more failures than allowed",
    EventKind.REFUSED: f"could not be started, {_ASKS}",
    EventKind.RUNNING: "goes on",
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook, as standardwebhooks.com recommends it; *data* is the status object."""

    type: str
    timestamp: str
    data: Status


def message(entry: JournalEntry) -> bytes:
    """The JSON of an event."""
    kind, at = entry.event.kind, utc(entry.at)
    return msgspec.json.encode(Message(type=f"job.{kind}", timestamp=at, data=entry.status))


def slack(entry: JournalEntry) -> bytes:
    """An event for Slack and compatible services (Mattermost, Rocket.Chat, Discord's ``/slack``)."""
    text = "\n".join(html.escape(line, quote=False) for line in lines(entry))
    return msgspec.json.encode({"text": text})


def lines(entry: JournalEntry) -> list[str]:
    """An event in words."""
    status = entry.status
    counts = [
        f"{status.outcomes.get(outcome.value) or 0:,} {outcome}"
        for outcome in Outcome
        if outcome is Outcome.DONE or status.outcomes.get(outcome.value)
    ]
    rows = f"of {plural(status.rows, 'row')}" if status.rows is not None else "not all rows read yet"
    cost = "cost unknown" if status.cost_usd is None else money(status.cost_usd)
    return [
        f"retouch: {status.job} {_SAYS[entry.event.kind]}",
        *([status.state_reason] if status.state_reason else []),
        f"{', '.join(counts)} {rows}; {cost}",
        status.out,
    ]


def facts(entry: JournalEntry) -> dict[str, str]:
    """An event as environment variables for a command; retouch itself reads none of them."""
    status = entry.status
    said = {
        "event": entry.event.kind,
        "id": status.job,
        "out": status.out,
        "state": status.state,
        "reason": status.state_reason,
        "rows": status.rows,
        "cost_usd": status.cost_usd,
        **status.outcomes,
    }
    texts = {name: "" if value is None else str(value) for name, value in said.items()}
    return {f"JOB_{name.upper()}": text.replace("\0", " ") for name, text in texts.items()}
