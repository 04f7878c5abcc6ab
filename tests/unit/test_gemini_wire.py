"""The wire is read with tolerance: an oddity in one field costs nothing in another."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gemini.wire import Reply, loads, parse

CAMEL: dict[str, Any] = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [
                {"text": "hi", "thoughtSignature": "x"}, {"inlineData": {"mimeType": "image/png", "data": "@0"}},
            ]},
            "finishReason": "STOP",
            "finishMessage": "done",
            "safetyRatings": [{"category": "X"}],
        }
    ],
    "promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "m"},
    "usageMetadata": {
        "promptTokenCount": 1, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "toolUsePromptTokenCount": 4,
        "totalTokenCount": 10, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 2}],
    },
    "modelVersion": "m",
    "error": {"code": 429, "message": "x", "status": "S", "details": [
        {"@type": "t", "violations": [{"quotaMetric": "a", "quotaId": "b", "quotaValue": "0"}]},
        {"retryDelay": "1s"}, {"reason": "R"},
    ]},
    "unknown": {"deep": [1, 2]},
}  # fmt: skip


def snake(value: Any) -> Any:
    if isinstance(value, list):
        return [snake(item) for item in value]
    if isinstance(value, dict):
        return {
            "".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(item)
            for key, item in value.items()
        }
    return value


def test_both_spellings() -> None:
    """camelCase and snake_case are the same reply, with every field read."""
    camel, snaky = parse(json.dumps(CAMEL).encode()), parse(json.dumps(snake(CAMEL)).encode())
    assert camel is not None
    assert camel == snaky
    assert camel.usage_metadata is not None
    assert camel.usage_metadata.tool_use_prompt_token_count == 4
    assert camel.error is not None
    assert [detail.retry_delay for detail in camel.error.details] == [None, "1s", None]
    assert camel.error.details[0].violations[0].quota_value == "0"
    assert camel.candidates[0].content is not None
    assert camel.candidates[0].content.parts[1].inline_data is not None


WRONG = [None, 1, -1.5, "x", True, [], {}, [None], [1], {"parts": 3}, [[]]]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, item in items for p in [(*path, key), *paths(item, (*path, key))]]


@pytest.mark.parametrize("path", paths(CAMEL), ids=str)
def test_a_wrong_type_costs_one_field(path: tuple[Any, ...]) -> None:
    """Whatever stands in one place, what stands beside it is still read."""
    for wrong in WRONG:
        document = json.loads(json.dumps(CAMEL))
        spot = document
        for key in path[:-1]:
            spot = spot[key]
        spot[path[-1]] = wrong
        reply = parse(json.dumps(document).encode())
        assert reply is not None
        if path[0] != "modelVersion":
            assert reply.model_version == "m"
        if path[0] != "candidates":
            assert reply.candidates[0].finish_reason == "STOP"
        elif path[-1] in ("finishMessage", "safetyRatings", "role", "text"):
            assert len((reply.candidates[0].content or pytest.fail("content lost")).parts) == 2


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        (b"{}", Reply()),
        (b'\xef\xbb\xbf {"modelVersion": "m"}', Reply(model_version="m")),
        (b'{"modelVersion": "\\ud800"}', Reply(model_version="?")),
        (b'{"modelVersion": "\xff"}', Reply(model_version="\ufffd")),
        (b'{"x": NaN, "modelVersion": 1.5}', Reply(model_version="1.5")),
        (b"", None),
        (b"null", None),
        (b"[]", None),
        (b"[{}]", None),
        (b'"text"', None),
        (b"<html>", None),
        (b"{", None),
        (b"[" * 100_000, None),
        (b'{"x":' * 100_000, None),
    ],
)  # fmt: skip
def test_bodies(body: bytes, reply: Reply | None) -> None:
    """What is an object is a reply; everything else is none, and none is a crash."""
    assert parse(body) == reply


def test_an_error_in_a_list() -> None:
    """Errors of streams come in a list (gemini-api.md 4)."""
    reply = parse(b'[{"error": {"code": 429}}]')
    assert reply is not None
    assert reply.error is not None
    assert reply.error.code == 429


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    """Nothing breaks it."""
    parse(body)
    loads(body)


@pytest.mark.parametrize("digits", [17, 23, 400, 5_000, 100_000])
def test_a_number_of_any_length_costs_nothing_but_itself(digits: int) -> None:
    """No price can be made of it, and it stands beside a picture that was paid for."""
    number = b"9" * digits
    body = (
        b'{"candidates": [{"finishReason": "STOP", "content": {"parts": [{"text": "hi"}]}}], "modelVersion": '
        + number
        + b', "usageMetadata": {"promptTokenCount": '
        + number
        + b', "candidatesTokenCount": 7}}'
    )
    reply = parse(body)
    assert reply is not None
    assert reply.candidates[0].finish_reason == "STOP"
    assert reply.usage_metadata is not None
    assert reply.usage_metadata.prompt_token_count == 0
    assert reply.usage_metadata.candidates_token_count == 7
