"""The verdict of an answer that is not a success, by its HTTP status and by what the error says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.attempt import Verdict
from pipeline.gemini.answer import Answer
from pipeline.gemini.delay import asked_delay
from pipeline.gemini.judgement import Judgement, Scope
from pipeline.gemini.quota import SPEND_WINDOW, QuotaLimit, limit
from pipeline.gemini.redact import redacted
from pipeline.gemini.wire import Error


def judge_status(answer: Answer) -> Judgement:
    """Judge an answer whose status is not a success (gemini-api.md 4)."""
    status = answer.status
    if status in _EXACT:
        return _EXACT[status](answer)
    if 400 <= status < 500 and not answer.html:
        # The API rejects the request and charges nothing. It would reject it again, so the row fails immediately
        # with the reason, and five identical ones stop the job; no money is spent on a guess.
        return _bad_request(answer)
    # A redirect is never followed, because of the key; a gateway's page is not the API's answer; an unknown 5xx is
    # the server's problem. None of them is charged, and all may be temporary, within the limit of such tries.
    return _overloaded(answer)


def _judged(answer: Answer, verdict: Verdict, scope: Scope, **more: Any) -> Judgement:
    return Judgement(verdict=verdict, scope=scope, http_status=answer.status, detail=_said(answer), **more)


def _said(answer: Answer) -> str | None:
    error = _error(answer)
    said = (
        f"{error.status}: {error.message}"
        if error.status and error.message
        else error.message or error.status
    )
    if 300 <= answer.status < 400:
        said = "a redirect, which is never followed with the key: is GOOGLE_GEMINI_BASE_URL right?"
    elif not said and answer.html:
        said = "a page of HTML instead of the API's answer: is a proxy in the way, or GOOGLE_GEMINI_BASE_URL wrong?"
    return redacted(said) if said else None


def _error(answer: Answer) -> Error:
    return (answer.reply.error if answer.reply else None) or Error()


def _bad_request(answer: Answer) -> Judgement:
    return _judged(answer, Verdict.INVALID_REQUEST, Scope.ROW, counted=False, final=True)


def _400(answer: Answer) -> Judgement:
    error = _error(answer)
    reasons = {detail.reason for detail in error.details}
    # A bad key is a 400 rather than a 401; so are a wrong region and missing billing (gemini-api.md 4).
    if "API_KEY_INVALID" in reasons or "api key not valid" in error.message.lower():
        return _denied(answer)
    if error.status == "FAILED_PRECONDITION":
        return _denied(answer)
    return _overloaded(answer) if answer.html else _bad_request(answer)


def _denied(answer: Answer) -> Judgement:
    return _judged(answer, Verdict.DENIED, Scope.ACCOUNT, counted=False)


def _not_found(answer: Answer) -> Judgement:
    return _judged(answer, Verdict.NOT_FOUND, Scope.MODEL, counted=False)


def _timeout(answer: Answer) -> Judgement:
    return _judged(answer, Verdict.TIMEOUT, Scope.ROW, unknown=True, retry_after=asked_delay(answer))


def _overloaded(answer: Answer) -> Judgement:
    return _judged(answer, Verdict.OVERLOADED, Scope.MODEL, counted=False, retry_after=asked_delay(answer))


def _429(answer: Answer) -> Judgement:
    which = limit(_error(answer))
    if which is QuotaLimit.NOTHING_ALLOWED:
        return _denied(answer)
    if which is QuotaLimit.DAY:
        # Its RetryInfo of about fifty seconds is misleading (gemini-api.md 4): the quota resets at midnight Pacific.
        return _judged(answer, Verdict.QUOTA_EXHAUSTED, Scope.MODEL, counted=False)
    delay = asked_delay(answer)
    if which is QuotaLimit.SPEND:
        delay = SPEND_WINDOW if delay is None else min(delay, SPEND_WINDOW)
    return _judged(answer, Verdict.THROTTLED, Scope.MODEL, counted=False, retry_after=delay)


_EXACT: dict[int, Callable[[Answer], Judgement]] = {
    400: _400,
    401: _denied,
    402: _denied,
    403: _denied,
    404: _not_found,
    407: _denied,  # the proxy requires a password, for every call
    408: _timeout,
    413: _bad_request,  # gateways say it in HTML, and would say it again
    429: _429,
    499: _timeout,
    504: _timeout,
}
