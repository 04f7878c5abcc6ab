"""Every row of contract.md's table "From an answer to a verdict", and every word and status of gemini-api.md 3 and 4."""

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from google.genai import types as sdk
from hypothesis import given
from hypothesis import strategies as st

from pipeline.edit import Verdict
from pipeline.gemini import reasons
from pipeline.gemini.answer import Answer, Failure, Kind
from pipeline.gemini.scan import Scanner
from pipeline.gemini.verdict import Judgement, Scope, bad_picture, judge, unchanged
from pipeline.gemini.wire import parse

PNG = b"\x89PNG not verified here"
PICTURE = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}
BROKEN = {"inlineData": {"mimeType": "image/png", "data": "!!!"}}
TEXT = {"text": "Here is your picture."}
THOUGHT = {"text": "Let me think.", "thought": True}


def answer(body: Any, status: int = 200, **more: Any) -> Answer:
    scanner = Scanner()
    scanner.feed(body if isinstance(body, bytes) else json.dumps(body, indent=1).encode())
    scanner.finish()
    html = scanner.skeleton.lstrip()[:1] == b"<"
    return Answer(status=status, reply=parse(scanner.skeleton), blobs=scanner.blobs, html=html, **more)


def said(*parts: Any, finish: str | None = "STOP", **more: Any) -> Answer:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return answer({"candidates": [candidate | ({"finishReason": finish} if finish else {})], **more})


def error(status: int, word: str = "", message: str = "", *details: Any, **more: Any) -> Answer:
    body = {"error": {"code": status, "message": message, "status": word, "details": list(details)}}
    return answer(body, status, **more)


def violated(quota: str, value: str = "100") -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {"@type": kind, "violations": [{"quotaMetric": "m", "quotaId": quota, "quotaValue": value}]}


def retry(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


KEY_INVALID = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-PaidTier"
DAY = "GenerateRequestsPerDayPerProjectPerModel-PaidTier2"
SPENT = "You exceeded your spend-based rate limit. Please wait."
HTML = b"<!DOCTYPE html><html><body>Bad Gateway</body></html>"
V = Verdict

#: name: (answer, verdict, counted, unknown, final, scope)
TABLE: dict[str, tuple[Answer | Failure, Verdict, bool, bool, bool, Scope]] = {
    # a picture that decodes, any finish but a refusal
    "picture": (said(PICTURE), V.IMAGE, True, False, False, Scope.NONE),
    "text and picture": (said(TEXT, PICTURE), V.IMAGE, True, False, False, Scope.NONE),
    "picture and text": (said(PICTURE, TEXT), V.IMAGE, True, False, False, Scope.NONE),
    "picture, MAX_TOKENS": (said(PICTURE, finish="MAX_TOKENS"), V.IMAGE, True, False, False, Scope.NONE),
    "picture, NO_IMAGE": (said(PICTURE, finish="NO_IMAGE"), V.IMAGE, True, False, False, Scope.NONE),
    "picture, no finish": (said(PICTURE, finish=None), V.IMAGE, True, False, False, Scope.NONE),
    "picture, new finish": (said(PICTURE, finish="SOMETHING_NEW"), V.IMAGE, True, False, False, Scope.NONE),
    "picture, 201": (answer({"candidates": [{"content": {"parts": [PICTURE]}}]}, 201), V.IMAGE, True, False, False, Scope.NONE),
    "only thoughts": (said({**PICTURE, "thought": True}), V.IMAGE, True, False, False, Scope.NONE),
    "picture, unspecified block": (
        said(PICTURE, promptFeedback={"blockReason": "BLOCKED_REASON_UNSPECIFIED"}), V.IMAGE, True, False, False, Scope.NONE
    ),
    # picture data that does not decode
    "not base64": (said(BROKEN), V.BAD_IMAGE, True, False, False, Scope.ROW),
    "empty data": (said({"inlineData": {"data": ""}}), V.BAD_IMAGE, True, False, False, Scope.ROW),
    "not base64, MAX_TOKENS": (said(BROKEN, finish="MAX_TOKENS"), V.BAD_IMAGE, True, False, False, Scope.ROW),
    # MAX_TOKENS, CONTINUATION without a picture
    "truncated": (said(finish="MAX_TOKENS"), V.TRUNCATED, True, False, False, Scope.ROW),
    "truncated text": (said(TEXT, finish="MAX_TOKENS"), V.TRUNCATED, True, False, False, Scope.ROW),
    "continuation": (said(finish="CONTINUATION"), V.TRUNCATED, True, False, False, Scope.ROW),
    # text without a picture
    "text": (said(TEXT), V.TEXT_ONLY, True, False, False, Scope.ROW),
    "text, no finish": (said(TEXT, finish=None), V.TEXT_ONLY, True, False, False, Scope.ROW),
    "null data": (said(TEXT, {"inlineData": {"data": None}}), V.TEXT_ONLY, True, False, False, Scope.ROW),
    # nothing
    "thought alone": (said(THOUGHT), V.NO_IMAGE, True, False, False, Scope.ROW),
    "blank text": (said({"text": " \n"}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "no parts": (said(), V.NO_IMAGE, True, False, False, Scope.ROW),
    "parts null": (answer({"candidates": [{"content": {"parts": None}}]}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "content {}": (answer({"candidates": [{"content": {}}]}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "role alone": (answer({"candidates": [{"content": {"role": "model"}}]}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "content missing": (answer({"candidates": [{}]}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "candidates null": (answer({"candidates": None}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "candidates []": (answer({"candidates": []}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "{}": (answer({}), V.NO_IMAGE, True, False, False, Scope.ROW),
    "null": (answer(None), V.NO_IMAGE, True, False, False, Scope.ROW),
    "a list": (answer([{"candidates": []}]), V.NO_IMAGE, True, False, False, Scope.ROW),
    "a 200 in HTML": (answer(HTML), V.NO_IMAGE, True, False, False, Scope.ROW),
    "a 200 of nothing": (answer(b""), V.NO_IMAGE, True, False, False, Scope.ROW),
    "a 200 cut, as announced": (answer(b'{"candidates": [{"content'), V.NO_IMAGE, True, False, False, Scope.ROW),
    "204": (answer(b"", 204), V.NO_IMAGE, True, False, False, Scope.ROW),
    "too big": (answer(b"{", too_big=True), V.NO_IMAGE, True, False, False, Scope.ROW),
    # refusals outweigh all
    "refused with a picture": (said(PICTURE, finish="SAFETY"), V.BLOCKED, True, False, True, Scope.ROW),
    "refused with text": (said(TEXT, finish="PROHIBITED_CONTENT"), V.BLOCKED, True, False, True, Scope.ROW),
    "filter with a picture": (said(PICTURE, finish="IMAGE_SAFETY"), V.BLOCKED, True, False, False, Scope.ROW),
    "limited": (said(finish="PUP_LIMITED_DISABLED"), V.DENIED, False, False, False, Scope.ACCOUNT),
    "limited prompt": (
        answer({"promptFeedback": {"blockReason": "PUP_LIMITED_DISABLED"}}), V.DENIED, False, False, False, Scope.ACCOUNT
    ),
    "new block": (answer({"promptFeedback": {"blockReason": "A_NEW_ONE"}}), V.BLOCKED, True, False, True, Scope.ROW),
    # failures
    "reset after sending": (Failure(kind=Kind.NETWORK, begun=True, sent=True), V.NETWORK, True, True, False, Scope.NONE),
    "late after sending": (Failure(kind=Kind.TIMEOUT, begun=True, sent=True), V.TIMEOUT, True, True, False, Scope.ROW),
    "never connected": (Failure(kind=Kind.NETWORK), V.NETWORK, False, False, False, Scope.NONE),
    "late connecting": (Failure(kind=Kind.TIMEOUT), V.NETWORK, False, False, False, Scope.NONE),
    "never fully sent": (Failure(kind=Kind.NETWORK, begun=True), V.NETWORK, False, False, False, Scope.NONE),
    "late while sending": (Failure(kind=Kind.TIMEOUT, begun=True), V.NETWORK, False, False, False, Scope.NONE),
    "cut, not announced": (answer(b'{"candidates": [{"con', unfinished=True), V.NETWORK, True, True, False, Scope.NONE),
    # 429
    "429 minute": (error(429, "RESOURCE_EXHAUSTED", "q", violated(MINUTE)), V.THROTTLED, False, False, False, Scope.MODEL),
    "429 spend": (error(429, "RESOURCE_EXHAUSTED", SPENT), V.THROTTLED, False, False, False, Scope.MODEL),
    "429 bare": (error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), V.THROTTLED, False, False, False, Scope.MODEL),
    "429 nothing": (answer(b"", 429), V.THROTTLED, False, False, False, Scope.MODEL),
    "429 HTML": (answer(HTML, 429), V.THROTTLED, False, False, False, Scope.MODEL),
    "429 in a list": (
        answer([{"error": {"code": 429, "details": [violated(DAY)]}}], 429), V.QUOTA_EXHAUSTED, False, False, False, Scope.MODEL
    ),
    "429 day": (error(429, "", "q", violated(DAY), retry("50s")), V.QUOTA_EXHAUSTED, False, False, False, Scope.MODEL),
    "429 day and minute": (
        error(429, "", "q", violated(MINUTE), violated(DAY)), V.QUOTA_EXHAUSTED, False, False, False, Scope.MODEL
    ),
    "429 zero": (error(429, "", "q", violated(MINUTE, "0")), V.DENIED, False, False, False, Scope.ACCOUNT),
    "429 zero of a day": (error(429, "", "q", violated(DAY, "0"), retry("50s")), V.DENIED, False, False, False, Scope.ACCOUNT),
    "429 limit: 0": (error(429, "", "metric: x, limit: 0\nPlease retry in 1s"), V.DENIED, False, False, False, Scope.ACCOUNT),
    "429 limit: 0.5": (error(429, "", "metric: x, limit: 0.5"), V.THROTTLED, False, False, False, Scope.MODEL),
    "429 prepaid": (error(429, "", "Your prepayment credits are depleted."), V.DENIED, False, False, False, Scope.ACCOUNT),
    # 5xx, gateways, redirects
    "500": (error(500, "INTERNAL", "oops"), V.OVERLOADED, False, False, False, Scope.MODEL),
    "502": (answer(HTML, 502), V.OVERLOADED, False, False, False, Scope.MODEL),
    "503": (error(503, "UNAVAILABLE", "currently experiencing high demand"), V.OVERLOADED, False, False, False, Scope.MODEL),
    "503 HTML": (answer(HTML, 503), V.OVERLOADED, False, False, False, Scope.MODEL),
    "529": (answer(b"", 529), V.OVERLOADED, False, False, False, Scope.MODEL),
    "302": (answer(b"", 302), V.OVERLOADED, False, False, False, Scope.MODEL),
    "308": (answer(HTML, 308), V.OVERLOADED, False, False, False, Scope.MODEL),
    "400 HTML": (answer(HTML, 400), V.OVERLOADED, False, False, False, Scope.MODEL),
    "418 HTML": (answer(HTML, 418), V.OVERLOADED, False, False, False, Scope.MODEL),
    # deadlines of the server
    "408": (answer(b"", 408), V.TIMEOUT, True, True, False, Scope.ROW),
    "499": (error(499, "CANCELLED"), V.TIMEOUT, True, True, False, Scope.ROW),
    "504": (error(504, "DEADLINE_EXCEEDED", "late"), V.TIMEOUT, True, True, False, Scope.ROW),
    "504 HTML": (answer(HTML, 504), V.TIMEOUT, True, True, False, Scope.ROW),
    # 4xx
    "400": (error(400, "INVALID_ARGUMENT", 'Unknown name "x"'), V.INVALID_REQUEST, False, False, True, Scope.ROW),
    "400 nothing": (answer(b"", 400), V.INVALID_REQUEST, False, False, True, Scope.ROW),
    "413": (answer(HTML, 413), V.INVALID_REQUEST, False, False, True, Scope.ROW),
    "418": (answer(b"", 418), V.INVALID_REQUEST, False, False, True, Scope.ROW),
    "400 key": (error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), V.DENIED, False, False, False, Scope.ACCOUNT),
    "400 key reason": (error(400, "INVALID_ARGUMENT", "x", KEY_INVALID), V.DENIED, False, False, False, Scope.ACCOUNT),
    "400 region": (error(400, "FAILED_PRECONDITION", "User location is not supported"), V.DENIED, False, False, False, Scope.ACCOUNT),
    "401": (error(401, "UNAUTHENTICATED"), V.DENIED, False, False, False, Scope.ACCOUNT),
    "402": (error(402, "RESOURCE_EXHAUSTED"), V.DENIED, False, False, False, Scope.ACCOUNT),
    "403": (error(403, "PERMISSION_DENIED"), V.DENIED, False, False, False, Scope.ACCOUNT),
    "407": (answer(HTML, 407), V.DENIED, False, False, False, Scope.ACCOUNT),
    "404": (error(404, "NOT_FOUND", "models/x is not found"), V.NOT_FOUND, False, False, False, Scope.MODEL),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str) -> None:
    """Each answer has its verdict, and says whether it counts, is known, is final and whom it concerns."""
    reply, verdict, counted, unknown, final, scope = TABLE[name]
    judged = judge(reply)
    assert (judged.verdict, judged.counted, judged.unknown, judged.final, judged.scope) == (
        verdict, counted, unknown, final, scope,
    )  # fmt: skip
    assert judged.http_status == (None if isinstance(reply, Failure) else reply.status)
    assert (judged.picture is not None) == (verdict is Verdict.IMAGE)


REFUSED = {
    "SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION",
    "MODEL_ARMOR",
}  # fmt: skip


def of_finish(word: str) -> tuple[Verdict, bool]:
    if word in REFUSED or word == "IMAGE_SAFETY":
        return Verdict.BLOCKED, word in REFUSED
    if word in ("MAX_TOKENS", "CONTINUATION"):
        return Verdict.TRUNCATED, False
    return (Verdict.DENIED if word.startswith("PUP_LIMITED") else Verdict.NO_IMAGE), False


@pytest.mark.parametrize("word", [*(each.value for each in sdk.FinishReason), "A_NEW_WORD", ""])
@pytest.mark.parametrize("shape", [{}, {"content": {}}, {"content": None}, {"content": {"parts": None}}])
def test_every_finish_reason(word: str, shape: dict[str, Any]) -> None:
    """Every word of the SDK's, and one that it does not know, in every empty shape that was seen."""
    judged = judge(answer({"candidates": [{**shape, "finishReason": word}]}))
    assert (judged.verdict, judged.final) == of_finish(word)
    assert judged.finish_reason == (word or None)


def test_every_finish_reason_is_sorted() -> None:
    """A new word in the SDK must be sorted by a person; ours are sorted once."""
    groups = [
        reasons.REFUSED,
        reasons.REFUSED_BY_CHANCE,
        reasons.ACCOUNT_LIMITED,
        reasons.TRUNCATED,
        reasons.SLIPPED,
    ]
    assert {each.value for each in sdk.FinishReason} - set().union(*groups) == set()
    assert sum(map(len, groups)) == len(set().union(*groups))


@pytest.mark.parametrize("word", [each.value for each in sdk.BlockedReason])
@pytest.mark.parametrize("spelling", [("promptFeedback", "blockReason"), ("prompt_feedback", "block_reason")])
def test_every_block_reason(word: str, spelling: tuple[str, str]) -> None:
    """A prompt that was blocked is refused for good, without candidates or with empty ones."""
    outer, inner = spelling
    for candidates in ({}, {"candidates": None}, {"candidates": [{"finishReason": "OTHER"}]}):
        judged = judge(answer({outer: {inner: word}, **candidates}))
        assert (judged.verdict, judged.final, judged.counted) == (Verdict.BLOCKED, True, True)


@pytest.mark.parametrize("status", [*(each.value for each in HTTPStatus if each >= 200), 299, 599, 999, 0])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", HTML, b'{"error": null}', b'{"error": {"details": [null, 1]}}']
)
def test_every_status(status: int, body: bytes) -> None:
    """No status and no body breaks the verdict; what is not a success never holds a picture."""
    judged = judge(answer(body, status))
    assert judged.http_status == status
    assert judged.picture is None
    assert judged.verdict is not Verdict.IMAGE


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (error(429, "", "", violated(MINUTE), retry("55s")), 55.0),
        (error(429, "", "", retry("1.5s")), 1.5),
        (error(429, "", "", retry("0.001s")), 0.001),
        (error(429, "", "Please retry in 17.85s."), 17.85),
        (error(429, "", "Please retry in 350.5ms."), 0.3505),
        (error(429, "", "Please retry in 17.85s.", retry("17s")), 17.85),
        (error(429, "", "", retry("soon")), None),
        (error(429, "", "", retry("-5s")), None),
        (error(429, "", "", {"retryDelay": 7}), 7.0),
        (error(429, "", "", {"retryDelay": {"seconds": 7}}), None),
        (error(429, "", ""), None),
        (error(429, "", "", retry_after="12"), 12.0),
        (error(429, "", "", retry("5s"), retry_after="12"), 12.0),
        (error(503, "", "", retry_after="Wed, 21 Oct 2026 07:28:00 GMT", at=1792567650.0), 30.0),
        (error(503, "", "", retry_after="Wed, 21 Oct 2020 07:28:00 GMT", at=1792567650.0), 0.0),
        (error(503, "", "", retry_after="whenever"), None),
        (error(504, "", "", retry("3s")), 3.0),
        (error(429, "", SPENT), 600.0),
        (error(429, "", SPENT, retry("42s")), 42.0),
        (error(429, "", SPENT, retry("4200s")), 600.0),
        (error(429, "", "", violated(DAY), retry("50s"), retry_after="50"), None),
        (error(404, "", "", retry("3s")), None),
    ],
)
def test_retry_after(reply: Answer, seconds: float | None) -> None:
    """The longest wait that is asked for is believed; a day's quota misleads and is not."""
    assert judge(reply).retry_after == (pytest.approx(seconds) if seconds is not None else None)


def test_text_wanted() -> None:
    """Text is what was asked for when it was."""
    judged = judge(said(THOUGHT, TEXT, {"text": " More."}), text_wanted=True)
    assert (judged.verdict, judged.scope, judged.text) == (
        Verdict.TEXT,
        Scope.NONE,
        "Here is your picture. More.",
    )
    assert judge(said(finish="STOP"), text_wanted=True).verdict is Verdict.NO_IMAGE
    assert judge(said(TEXT, finish="MAX_TOKENS"), text_wanted=True).verdict is Verdict.TRUNCATED


def test_which_picture() -> None:
    """The last that is not a thought, in both spellings; all are counted."""

    def part(raw: bytes, **more: Any) -> dict[str, Any]:
        return {"inline_data": {"mime_type": "image/png", "data": base64.b64encode(raw).decode()}, **more}

    judged = judge(said(part(b"one"), part(b"two"), part(b"draft", thought=True)))
    assert (bytes(judged.picture or b""), judged.images) == (b"two", 3)
    assert bytes(judge(said(part(b"one", thought=True), part(b"two", thought=True))).picture or b"") == b"two"


def test_a_failed_check() -> None:
    """A picture that fails its verification is let go; what was paid for it stays."""
    judged = judge(said(PICTURE, usageMetadata={"totalTokenCount": 7}, modelVersion="m"))
    for changed, verdict in (
        (bad_picture(judged, "cut\noff"), V.BAD_IMAGE),
        (unchanged(judged, "cut off"), V.UNCHANGED),
    ):
        assert (changed.verdict, changed.scope, changed.counted, changed.picture) == (
            verdict,
            Scope.ROW,
            True,
            None,
        )
        assert (changed.detail, changed.model_version, changed.tokens) == ("cut off", "m", judged.tokens)


def test_detail() -> None:
    """What the API said is one short line, and no key is in it whoever says it."""
    key = "AIzaSyA-0123456789abcdefghijklmnopqrstu"
    echoes = [
        error(403, "PERMISSION_DENIED", f"Consumer 'api_key:{key}' has been suspended. {'x' * 900}"),
        error(400, "", f"https://x/v1beta?key={key}&alt=json\nfailed"),
        said(finish="NO_IMAGE", promptFeedback={"blockReasonMessage": f"bad key={key}"}),
        Failure(kind=Kind.NETWORK, detail=f"x-goog-api-key: {key}"),
    ]
    for reply in echoes:
        judged = judge(reply)
        assert judged.detail
        assert key not in repr(judged)
        assert len(judged.detail) <= 300
        assert "\n" not in judged.detail
    assert (
        judge(error(404, "NOT_FOUND", "models/x is not found")).detail == "NOT_FOUND: models/x is not found"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "candidates content parts text thought inlineData data finishReason promptFeedback blockReason error code "
                "message status details violations quotaId quotaValue retryDelay reason usageMetadata totalTokenCount "
                "candidatesTokenCount promptTokenCount candidatesTokensDetails modality tokenCount modelVersion".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from([200, 400, 429, 503]))
def test_any_body(body: Any, status: int) -> None:
    """No JSON, however its types are wrong, breaks the verdict."""
    judged = judge(answer(json.dumps(body).encode("utf-8", "surrogatepass"), status))
    assert isinstance(judged, Judgement)
