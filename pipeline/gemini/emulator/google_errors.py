"""Errors in the shape that Google's APIs give them (gemini-api.md section 4)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

Detail = dict[str, Any]


class WireError(Exception):
    """A call that is answered with an error: the HTTP code, the sentence and Google's typed details."""

    def __init__(
        self, code: int, message: str, details: Sequence[Detail] = (), *, status: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = list(details)
        self.status = status or STATUS_NAMES.get(code, "UNKNOWN")

    def document(self) -> dict[str, Any]:
        """The JSON object of the answer's body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}

    def body(self) -> bytes:
        """The answer's body, indented as Google sends it."""
        return json.dumps(self.document(), indent=2, ensure_ascii=False).encode()


def invalid(message: str, details: Sequence[Detail] = ()) -> WireError:
    """A 400 INVALID_ARGUMENT."""
    return WireError(400, message, details)


def detail(kind: str, **fields: Any) -> Detail:
    """One entry of ``error.details``, such as ``RetryInfo``."""
    return {"@type": f"type.googleapis.com/google.rpc.{kind}", **fields}


def field_violations(violations: Sequence[tuple[str, str]]) -> WireError:
    """A 400 that names every field at fault, as the JSON reader of Google's front end does."""
    listed = [
        {"field": field, "description": text} if field else {"description": text}
        for field, text in violations
    ]
    message = "\n".join(text for _, text in violations)
    return invalid(message, [detail("BadRequest", fieldViolations=listed)])


def error_info(reason: str, **metadata: str) -> Detail:
    """The machine-readable reason that tells, for one, a bad key from a bad request."""
    metadata = {"service": "generativelanguage.googleapis.com", **metadata}
    return detail("ErrorInfo", reason=reason, domain="googleapis.com", metadata=metadata)


def retry_info(seconds: float) -> Detail:
    """How long to wait; a duration as protobuf writes it, such as ``7s`` or ``0.25s``."""
    return detail("RetryInfo", retryDelay=f"{seconds:.9f}".rstrip("0").rstrip(".") + "s")


def quota_failure(quota_id: str, value: str, model: str) -> Detail:
    """Which quota was passed; clients match ``PerMinute`` and ``PerDay`` on ``quotaId``."""
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_requests_per_model",
        "quotaId": quota_id,
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": value,
    }
    return detail("QuotaFailure", violations=[violation])


def help_links() -> Detail:
    """The link that stands under every quota error."""
    url = "https://ai.google.dev/gemini-api/docs/rate-limits"
    return detail("Help", links=[{"description": "Learn more about Gemini API quotas", "url": url}])


PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-PaidTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-PaidTier"
FREE_TIER = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


def quota_passed(model: str, quota_id: str, limit: int, retry_s: float) -> WireError:
    """A 429 with QuotaFailure, Help and RetryInfo, worded as the API words it."""
    message = (
        "You exceeded your current quota, please check your plan and billing details. "
        "For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n"
        "* Quota exceeded for metric: "
        "generativelanguage.googleapis.com/generate_requests_per_model, "
        f"limit: {limit}, model: {model}\nPlease retry in {retry_s:g}s."
    )
    details = [quota_failure(quota_id, str(limit), model), help_links(), retry_info(retry_s)]
    return WireError(429, message, details)
