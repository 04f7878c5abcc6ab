"""Numbers and terms in words for users. What is unknown is shown as unknown, never as 0."""

from __future__ import annotations

from pipeline.attempt import Verdict
from pipeline.record import Outcome
from pipeline.status import State

UNKNOWN = "unknown"
#: An en dash, where there is nothing.
NONE = "\u2013"

OUTCOMES = {
    Outcome.DONE: "edited, decoded and checked",
    Outcome.BLOCKED: "refused by policy",
    Outcome.FAILED: "gave up after the last attempt",
    Outcome.INVALID: "could not be sent",
    Outcome.CANCELLED: "cancelled before it was finished",
}

STATES = {
    State.QUEUED: "Queued",
    State.RUNNING: "Running",
    State.PAUSED: "Paused",
    State.WAITING: "Waiting",
    State.HALTED: "Halted",
    State.CANCELLED: "Cancelled",
    State.FINISHED: "Finished",
}

VERDICTS = {
    Verdict.IMAGE: "a picture, accepted",
    Verdict.BAD_IMAGE: "a picture that does not decode or fails a check",
    Verdict.UNCHANGED: "the input picture came back unchanged",
    Verdict.TRUNCATED: "cut off at the token limit",
    Verdict.TEXT_ONLY: "text instead of a picture",
    Verdict.TEXT: "text, as requested",
    Verdict.NO_IMAGE: "no picture and no stated reason",
    Verdict.BLOCKED: "refused by policy",
    Verdict.NETWORK: "the connection broke",
    Verdict.TIMEOUT: "no answer in time",
    Verdict.THROTTLED: "too many requests",
    Verdict.QUOTA_EXHAUSTED: "the day's quota is used up",
    Verdict.OVERLOADED: "the API was overloaded",
    Verdict.INVALID_REQUEST: "the API did not accept the request",
    Verdict.DENIED: "key, billing or access refused",
    Verdict.NOT_FOUND: "the model does not exist",
    Verdict.FILE_GONE: "the API no longer has an uploaded picture",
    Verdict.INTERRUPTED: "the process ended during the call",
}


def verdict(word: str) -> str:
    """What the verdict *word* means; the word itself if it is newer than this list."""
    return VERDICTS[Verdict(word)] if word in VERDICTS else word


def number(value: int | None) -> str:
    """A count, with separators."""
    return UNKNOWN if value is None else f"{value:,}"


def money(usd: float | None) -> str:
    """Dollars, with two decimals from one dollar on and four below."""
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    if usd < 0.0001:
        return "< $0.0001"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"


def size(count: int) -> str:
    """A number of bytes."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:,.0f} KB" if count < 1024 * 1024 else f"{count / 1024 / 1024:,.1f} MB"


def seconds(value: float) -> str:
    """The duration of a call."""
    return f"{value:.1f} s"


def moment(stamp: str | None) -> str:
    """An ISO 8601 time in a readable form, still in UTC."""
    if not stamp:
        return UNKNOWN
    return f"{stamp[:10]} {stamp[11:19]} UTC" if stamp[10:11] == "T" else stamp


def share(part: int, whole: int) -> str:
    """A percentage that is 0 or 100 only if it is exactly that."""
    if not whole or not part:
        return "0 %"
    if part == whole:
        return "100 %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def plural(count: int, one: str, many: str | None = None) -> str:
    """*count* and its noun."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def clipped(text: str, limit: int) -> str:
    """*text* up to *limit* characters, with a note of how much is left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters, in results.jsonl)"
