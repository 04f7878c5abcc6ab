"""How long the API asks us to wait: in ``RetryInfo``, the ``Retry-After`` header, or the text of the error."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from pipeline.gemini.answer import Answer
from pipeline.gemini.wire import Error

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*s?\s*")
_SENTENCE = re.compile(r"retry (?:in|after) (\d+(?:\.\d+)?)\s*(ms|s)\b", re.IGNORECASE)


def asked_delay(answer: Answer) -> float | None:
    """The longest wait that *answer* asks for, in seconds; ``None`` if it asks for none (gemini-api.md 4)."""
    error = answer.reply.error if answer.reply else None
    said = [header_delay(answer.retry_after, answer.at), *(_of_error(error) if error else ())]
    return max((seconds for seconds in said if seconds is not None), default=None)


def _of_error(error: Error) -> list[float | None]:
    found = [_seconds(detail.retry_delay) for detail in error.details]
    sentence = _SENTENCE.search(error.message)
    if sentence:
        found.append(float(sentence[1]) / (1000 if sentence[2].lower() == "ms" else 1))
    return found


def header_delay(value: str | None, now: float) -> float | None:
    """The seconds of a ``Retry-After`` header, which is a number or an HTTP date; *now*: since the epoch."""
    if value is None:
        return None
    number = _seconds(value)
    if number is not None:
        return number
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment.timestamp() - now, 0.0)


def _seconds(duration: str | None) -> float | None:
    match = _DURATION.fullmatch(duration) if duration else None
    return float(match[1]) if match else None
