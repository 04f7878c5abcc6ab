"""Answers with an error status: quotas, limits, outages, gateways (gemini-api.md section 4)."""

from __future__ import annotations

from pipeline.gemini.emulator.answers.reply import Order, Reply
from pipeline.gemini.emulator.google_errors import (
    FREE_TIER,
    PER_DAY,
    PER_MINUTE,
    WireError,
    detail,
    error_info,
    quota_passed,
    retry_info,
)

_SENTENCES = {
    400: "Request contains an invalid argument.",
    401: "Request had invalid authentication credentials.",
    402: "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    408: "Request timed out.",
    499: "The operation was cancelled.",
    500: "An internal error has occurred. Please retry or report in https://developers.generativeai.google",
    503: "This model is currently experiencing high demand. Spikes in demand are usually temporary.",
    504: "Deadline expired before operation could complete.",
}
_GATEWAY = """<!DOCTYPE html>
<html lang=en><meta charset=utf-8><title>Error {code}</title>
<p><b>{code}.</b> <ins>That's an error.</ins>
<p>The server encountered a temporary error and could not complete your request.
<p>Please try again in 30 seconds.
"""


def from_error(error: WireError, **headers: str) -> Reply:
    """The reply that carries an error."""
    return Reply(document=error.document(), status=error.code, headers=headers)


def rate_limited(
    order: Order, *, retry_delay: float = 7.0, limit: int = 20, quota_id: str = PER_MINUTE
) -> Reply:
    """429 for the limit per minute, with RetryInfo and QuotaFailure."""
    return from_error(quota_passed(order.request.model.id, quota_id, limit, retry_delay))


def quota_day(order: Order, *, retry_delay: float = 50.0, limit: int = 250) -> Reply:
    """429 for the limit per day, with the misleading delay that the API sends."""
    return from_error(quota_passed(order.request.model.id, PER_DAY, limit, retry_delay))


def quota_zero(order: Order, *, retry_delay: float = 50.0) -> Reply:
    """429 for a quota of zero: waiting does not help."""
    return from_error(quota_passed(order.request.model.id, FREE_TIER, 0, retry_delay))


def spend_limited(_order: Order, *, retry_delay: float = 0.0) -> Reply:
    """429 for the spending limit of the project in ten minutes."""
    message = (
        "You exceeded your spend-based rate limit for this project. "
        "Please wait a few minutes and try again, or see https://ai.google.dev/gemini-api/docs/rate-limits."
    )
    return from_error(WireError(429, message, [retry_info(retry_delay)] if retry_delay else []))


def bare_429(_order: Order) -> Reply:
    """429 without details."""
    return from_error(WireError(429, "Resource has been exhausted (e.g. check quota)."))


def status(
    _order: Order,
    *,
    code: int = 503,
    status_name: str = "",
    message: str = "",
    reason: str = "",
    retry_delay: float = 0.0,
    retry_after: str = "",
) -> Reply:
    """Any status code with Google's JSON; ``reason`` goes into ErrorInfo (``API_KEY_INVALID``)."""
    details = [error_info(reason)] if reason else []
    if retry_delay:
        details.append(retry_info(retry_delay))
    error = WireError(
        code, message or _SENTENCES.get(code, f"Error {code}."), details, status=status_name or None
    )
    return from_error(error, **({"Retry-After": retry_after} if retry_after else {}))


def unknown_field(_order: Order, *, field: str = "x") -> Reply:
    """400 for an unknown field, although the request was valid."""
    text = (
        f"Invalid JSON payload received. Unknown name \"{field}\" at 'generation_config': Cannot find field."
    )
    violation = {"field": "generation_config", "description": text}
    return from_error(WireError(400, text, [detail("BadRequest", fieldViolations=[violation])]))


def gateway_html(_order: Order, *, code: int = 502) -> Reply:
    """An HTML page of a gateway instead of JSON."""
    return Reply(
        raw=_GATEWAY.format(code=code).encode(), status=code, content_type="text/html; charset=UTF-8"
    )


def redirect(_order: Order, *, code: int = 302, location: str = "/redirected") -> Reply:
    """A redirect; ``GET /ledger/summary`` counts how often it was followed, and how often with a key."""
    return Reply(raw=b"", status=code, content_type="text/html", headers={"Location": location})
