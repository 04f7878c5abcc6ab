"""The structure of ``generateContent`` answers and errors (gemini-api.md 3.1 and 4), read tolerantly.

An answer has been paid for, so an oddity in one field must not lose the picture in another: names are accepted in
camelCase and snake_case (proxies send it), unknown fields are ignored, and ``null`` and wrong types count as absent.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec


class Inline(msgspec.Struct, frozen=True, kw_only=True):
    """``inlineData``; *data* is the index of a decoded blob (:mod:`pipeline.gemini.scan`)."""

    mime_type: str | None = None
    data: str | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an answer: text or a picture."""

    text: str | None = None
    thought: bool = False
    inline_data: Inline | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an answer; empty or absent in many refusals (gemini-api.md 3.3 c)."""

    parts: tuple[Part, ...] = ()


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the model; ``finishReason`` is next to ``content`` and can be any string."""

    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None


class PromptFeedback(msgspec.Struct, frozen=True, kw_only=True):
    """Why the prompt was refused before anything was generated."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class ModalityCount(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one modality (``TEXT``, ``IMAGE``, ...)."""

    modality: str | None = None
    token_count: int = 0


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """``usageMetadata``; the counts do not always add up (gemini-api.md 3.5)."""

    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    total_token_count: int = 0
    candidates_tokens_details: tuple[ModalityCount, ...] = ()


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A quota that was exceeded; ``quotaId`` names its window."""

    quota_metric: str | None = None
    quota_id: str | None = None
    quota_value: str | None = None


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One of ``error.details``: ErrorInfo, QuotaFailure or RetryInfo, distinguished by their fields."""

    reason: str | None = None
    retry_delay: str | None = None
    violations: tuple[Violation, ...] = ()


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """``error`` (gemini-api.md 4)."""

    code: int | None = None
    message: str = ""
    status: str | None = None
    details: tuple[Detail, ...] = ()


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The whole body of an answer or an error."""

    candidates: tuple[Candidate, ...] = ()
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None
    error: Error | None = None


#: Larger integers are not the same in every JSON reader; no count comes near.
_MOST = 2**53
_MOST_DIGITS = 1000
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def parse(body: bytes | bytearray) -> Reply | None:
    """The reply in *body*, or ``None`` if it is not a JSON object.

    A list whose first item is an object with ``error`` counts as that object (errors of streams, gemini-api.md 4).
    """
    raw = loads(body)
    if isinstance(raw, list) and raw and isinstance(raw[0], dict) and "error" in raw[0]:
        raw = raw[0]
    return read(Reply, raw) if isinstance(raw, dict) else None


def loads(body: bytes | bytearray) -> Any:
    """*body* as JSON, or ``None``; tolerates lone surrogates, ``NaN``, a byte-order mark and broken UTF-8."""
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_int=_integer)
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> int | None:
    """``None`` for a number longer than any count: Python would refuse to read it, and the whole answer with it."""
    return int(digits) if len(digits) <= _MOST_DIGITS else None


def read(shape: type[_Shape], raw: dict[str, Any]) -> _Shape:
    """*raw* as *shape*; a field of the wrong type keeps its default."""
    found = {}
    for name, camel, kind in _fields(shape):
        value = raw.get(camel)
        if value is None:
            value = raw.get(name)
        if value is not None and (fitting := _fit(kind, value)) is not None:
            found[name] = fitting
    return shape(**found)


def _fit(kind: Any, value: Any) -> Any:
    """*value* as *kind*, or ``None``."""
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return (
            tuple(read(item, each) for each in value if isinstance(each, dict))
            if isinstance(value, list)
            else None
        )
    if issubclass(kind, msgspec.Struct):
        return read(kind, value) if isinstance(value, dict) else None
    if kind is bool:
        return value is True
    if kind is str:
        # A lone surrogate cannot be written to a record.
        told = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else None
        return told.encode("utf-8", "replace").decode() if told is not None else None
    try:
        number = msgspec.convert(value, kind, strict=False)
    except ValueError:
        return None
    return number if abs(number) <= _MOST else None


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[tuple[str, str, Any], ...]:
    """Name, name in camelCase and type (without ``None``) of each field of *shape*."""
    rows = []
    for name, hint in get_type_hints(shape).items():
        kind = (
            hint
            if get_origin(hint) is tuple
            else next((k for k in get_args(hint) if k is not type(None)), hint)
        )
        first, *rest = name.split("_")
        rows.append((name, first + "".join(word.capitalize() for word in rest), cast("Any", kind)))
    return tuple(rows)
