"""Which limit a 429 is about: the quota of a minute or a day, spending, or no quota at all (gemini-api.md 4)."""

from __future__ import annotations

import re
from enum import Enum, auto

from pipeline.gemini.wire import Error, Violation

#: Seconds: a spend limit counts a rolling window of this length (gemini-api.md 5).
SPEND_WINDOW = 600.0

_DAY = re.compile(r"per[ _-]?day", re.IGNORECASE)
_SPEND = re.compile(r"spend[- ]?based|spend(?:ing)?[ _-]?(?:rate|limit|per)", re.IGNORECASE)
_ZERO = re.compile(r"\blimit: 0(?![.\d])")
_PREPAID = re.compile(r"prepayment credits are depleted", re.IGNORECASE)


class QuotaLimit(Enum):
    """Which limit was exceeded."""

    NOTHING_ALLOWED = auto()
    DAY = auto()
    SPEND = auto()
    MINUTE = auto()


def limit(error: Error | None) -> QuotaLimit:
    """The limit that *error*, the body of a 429, is about; that of a minute if it does not say."""
    if error is None:
        return QuotaLimit.MINUTE
    violations = [violation for detail in error.details for violation in detail.violations]
    if _PREPAID.search(error.message) or _ZERO.search(error.message) or any(map(_is_zero, violations)):
        return QuotaLimit.NOTHING_ALLOWED
    named = [f"{violation.quota_id or ''} {violation.quota_metric or ''}" for violation in violations]
    if any(map(_DAY.search, named or [error.message])):
        return QuotaLimit.DAY
    if any(map(_SPEND.search, [*named, error.message])):
        return QuotaLimit.SPEND
    return QuotaLimit.MINUTE


def _is_zero(violation: Violation) -> bool:
    return (violation.quota_value or "").strip() in ("0", "0.0")
