"""From an answer to a verdict: each row, each word and status of gemini-api.md."""

import base64
import json
from http import HTTPStatus
from typing import Any

import pytest
from google.genai import types as sdk
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attempt import Verdict
from pipeline.gemini import reasons
from pipeline.gemini.answer import Answer, Failure, FailureKind
from pipeline.gemini.judgement import Judgement, Scope
from pipeline.gemini.redact import redacted
from pipeline.gemini.scan import Scanner
from pipeline.gemini.verdict import bad_picture, judge, unchanged_picture
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

#: Verdict, counted, unknown, final, scope.
Expected = tuple[Verdict, bool, bool, bool, Scope]
IMAGE = (V.IMAGE, True, False, False, Scope.NONE)
BAD_IMAGE = (V.BAD_IMAGE, True, False, False, Scope.ROW)
TRUNCATED = (V.TRUNCATED, True, False, False, Scope.ROW)
TEXT_ONLY = (V.TEXT_ONLY, True, False, False, Scope.ROW)
NO_IMAGE = (V.NO_IMAGE, True, False, False, Scope.ROW)
BLOCKED = (V.BLOCKED, True, False, True, Scope.ROW)
FILTERED = (V.BLOCKED, True, False, False, Scope.ROW)
DENIED = (V.DENIED, False, False, False, Scope.ACCOUNT)
NETWORK = (V.NETWORK, True, True, False, Scope.NONE)
TIMEOUT = (V.TIMEOUT, True, True, False, Scope.ROW)
UNSENT = (V.NETWORK, False, False, False, Scope.NONE)
THROTTLED = (V.THROTTLED, False, False, False, Scope.MODEL)
QUOTA_EXHAUSTED = (V.QUOTA_EXHAUSTED, False, False, False, Scope.MODEL)
OVERLOADED = (V.OVERLOADED, False, False, False, Scope.MODEL)
INVALID_REQUEST = (V.INVALID_REQUEST, False, False, True, Scope.ROW)
NOT_FOUND = (V.NOT_FOUND, False, False, False, Scope.MODEL)

TABLE: dict[str, tuple[Answer | Failure, Expected]] = {
    # a picture that decodes, any finish but a refusal
    "picture": (said(PICTURE), IMAGE),
    "text and picture": (said(TEXT, PICTURE), IMAGE),
    "picture and text": (said(PICTURE, TEXT), IMAGE),
    "picture, MAX_TOKENS": (said(PICTURE, finish="MAX_TOKENS"), IMAGE),
    "picture, NO_IMAGE": (said(PICTURE, finish="NO_IMAGE"), IMAGE),
    "picture, no finish": (said(PICTURE, finish=None), IMAGE),
    "picture, new finish": (said(PICTURE, finish="SOMETHING_NEW"), IMAGE),
    "picture, 201": (answer({"candidates": [{"content": {"parts": [PICTURE]}}]}, 201), IMAGE),
    "only thoughts": (said({**PICTURE, "thought": True}), IMAGE),
    "picture, unspecified block": (
        said(PICTURE, promptFeedback={"blockReason": "BLOCKED_REASON_UNSPECIFIED"}),
        IMAGE,
    ),
    # picture data that does not decode
    "not base64": (said(BROKEN), BAD_IMAGE),
    "empty data": (said({"inlineData": {"data": ""}}), BAD_IMAGE),
    "not base64, MAX_TOKENS": (said(BROKEN, finish="MAX_TOKENS"), BAD_IMAGE),
    # MAX_TOKENS, CONTINUATION without a picture
    "truncated": (said(finish="MAX_TOKENS"), TRUNCATED),
    "truncated text": (said(TEXT, finish="MAX_TOKENS"), TRUNCATED),
    "continuation": (said(finish="CONTINUATION"), TRUNCATED),
    # text without a picture
    "text": (said(TEXT), TEXT_ONLY),
    "text, no finish": (said(TEXT, finish=None), TEXT_ONLY),
    "null data": (said(TEXT, {"inlineData": {"data": None}}), TEXT_ONLY),
    # nothing
    "thought alone": (said(THOUGHT), NO_IMAGE),
    "blank text": (said({"text": " \n"}), NO_IMAGE),
    "no parts": (said(), NO_IMAGE),
    "parts null": (answer({"candidates": [{"content": {"parts": None}}]}), NO_IMAGE),
    "content {}": (answer({"candidates": [{"content": {}}]}), NO_IMAGE),
    "role alone": (answer({"candidates": [{"content": {"role": "model"}}]}), NO_IMAGE),
    "content missing": (answer({"candidates": [{}]}), NO_IMAGE),
    "candidates null": (answer({"candidates": None}), NO_IMAGE),
    "candidates []": (answer({"candidates": []}), NO_IMAGE),
    "{}": (answer({}), NO_IMAGE),
    "null": (answer(None), NO_IMAGE),
    "a list": (answer([{"candidates": []}]), NO_IMAGE),
    "a 200 in HTML": (answer(HTML), NO_IMAGE),
    "a 200 of nothing": (answer(b""), NO_IMAGE),
    "a 200 cut, as announced": (answer(b'{"candidates": [{"content'), NO_IMAGE),
    "204": (answer(b"", 204), NO_IMAGE),
    "too big": (answer(b"{", too_big=True), NO_IMAGE),
    # refusals outweigh all
    "refused with a picture": (said(PICTURE, finish="SAFETY"), BLOCKED),
    "refused with text": (said(TEXT, finish="PROHIBITED_CONTENT"), BLOCKED),
    "filter with a picture": (said(PICTURE, finish="IMAGE_SAFETY"), FILTERED),
    "limited": (said(finish="PUP_LIMITED_DISABLED"), DENIED),
    "limited prompt": (answer({"promptFeedback": {"blockReason": "PUP_LIMITED_DISABLED"}}), DENIED),
    "new block": (answer({"promptFeedback": {"blockReason": "A_NEW_ONE"}}), BLOCKED),
    # failures
    "reset after sending": (Failure(kind=FailureKind.NETWORK, begun=True, sent=True), NETWORK),
    "late after sending": (Failure(kind=FailureKind.TIMEOUT, begun=True, sent=True), TIMEOUT),
    "never connected": (Failure(kind=FailureKind.NETWORK), UNSENT),
    "late connecting": (Failure(kind=FailureKind.TIMEOUT), UNSENT),
    "no time to connect": (Failure(kind=FailureKind.TOO_SHORT), UNSENT),
    "never fully sent": (Failure(kind=FailureKind.NETWORK, begun=True), UNSENT),
    "late while sending": (Failure(kind=FailureKind.TIMEOUT, begun=True), UNSENT),
    "cut, not announced": (answer(b'{"candidates": [{"con', unfinished=True), NETWORK),
    # 429
    "429 minute": (error(429, "RESOURCE_EXHAUSTED", "q", violated(MINUTE)), THROTTLED),
    "429 spend": (error(429, "RESOURCE_EXHAUSTED", SPENT), THROTTLED),
    "429 bare": (
        error(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        THROTTLED,
    ),
    "429 nothing": (answer(b"", 429), THROTTLED),
    "429 HTML": (answer(HTML, 429), THROTTLED),
    "429 in a list": (answer([{"error": {"code": 429, "details": [violated(DAY)]}}], 429), QUOTA_EXHAUSTED),
    "429 day": (error(429, "", "q", violated(DAY), retry("50s")), QUOTA_EXHAUSTED),
    "429 day and minute": (error(429, "", "q", violated(MINUTE), violated(DAY)), QUOTA_EXHAUSTED),
    "429 zero": (error(429, "", "q", violated(MINUTE, "0")), DENIED),
    "429 zero of a day": (error(429, "", "q", violated(DAY, "0"), retry("50s")), DENIED),
    "429 limit: 0": (error(429, "", "metric: x, limit: 0\nPlease retry in 1s"), DENIED),
    "429 limit: 0.5": (error(429, "", "metric: x, limit: 0.5"), THROTTLED),
    "429 prepaid": (error(429, "", "Your prepayment credits are depleted."), DENIED),
    # 5xx, gateways, redirects
    "500": (error(500, "INTERNAL", "oops"), OVERLOADED),
    "502": (answer(HTML, 502), OVERLOADED),
    "503": (error(503, "UNAVAILABLE", "currently experiencing high demand"), OVERLOADED),
    "503 HTML": (answer(HTML, 503), OVERLOADED),
    "529": (answer(b"", 529), OVERLOADED),
    "302": (answer(b"", 302), OVERLOADED),
    "308": (answer(HTML, 308), OVERLOADED),
    "400 HTML": (answer(HTML, 400), OVERLOADED),
    "418 HTML": (answer(HTML, 418), OVERLOADED),
    # deadlines of the server
    "408": (answer(b"", 408), TIMEOUT),
    "499": (error(499, "CANCELLED"), TIMEOUT),
    "504": (error(504, "DEADLINE_EXCEEDED", "late"), TIMEOUT),
    "504 HTML": (answer(HTML, 504), TIMEOUT),
    # 4xx
    "400": (error(400, "INVALID_ARGUMENT", 'Unknown name "x"'), INVALID_REQUEST),
    "400 nothing": (answer(b"", 400), INVALID_REQUEST),
    "413": (answer(HTML, 413), INVALID_REQUEST),
    "418": (answer(b"", 418), INVALID_REQUEST),
    "400 key": (error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), DENIED),
    "400 key reason": (error(400, "INVALID_ARGUMENT", "x", KEY_INVALID), DENIED),
    "400 region": (error(400, "FAILED_PRECONDITION", "User location is not supported"), DENIED),
    "401": (error(401, "UNAUTHENTICATED"), DENIED),
    "402": (error(402, "RESOURCE_EXHAUSTED"), DENIED),
    "403": (error(403, "PERMISSION_DENIED"), DENIED),
    "407": (answer(HTML, 407), DENIED),
    "404": (error(404, "NOT_FOUND", "models/x is not found"), NOT_FOUND),
}


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str) -> None:
    """Each answer has its verdict, and says whether it counts, is known, is final and whom it concerns."""
    reply, expected = TABLE[name]
    judged = judge(reply)
    assert (judged.verdict, judged.counted, judged.unknown, judged.final, judged.scope) == expected
    assert judged.http_status == (None if isinstance(reply, Failure) else reply.status)
    assert (judged.picture is not None) == (judged.verdict is Verdict.IMAGE)


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
        (error(503, "", "", retry_after="Wed, 21 Oct 99999999999 07:28:00 GMT"), None),
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
        (unchanged_picture(judged, "cut off"), V.UNCHANGED),
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
        Failure(kind=FailureKind.NETWORK, detail=f"x-goog-api-key: {key}"),
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
                [
                    "candidates",
                    "content",
                    "parts",
                    "text",
                    "thought",
                    "inlineData",
                    "data",
                    "finishReason",
                    "promptFeedback",
                    "blockReason",
                    "error",
                    "code",
                    "message",
                    "status",
                    "details",
                    "violations",
                    "quotaId",
                    "quotaValue",
                    "retryDelay",
                    "reason",
                    "usageMetadata",
                    "totalTokenCount",
                    "candidatesTokenCount",
                    "promptTokenCount",
                    "candidatesTokensDetails",
                    "modality",
                    "tokenCount",
                    "modelVersion",
                ]
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


def test_a_stand_in_for_a_key() -> None:
    """A key of a letter or a word, as used with the emulator, hides nothing but itself where it is one."""
    assert redacted("blocked, key=k", "k") == "blocked, key=k"
    assert redacted("for my-own-key: blocked", "my-own-key") == "for [hidden]: blocked"
