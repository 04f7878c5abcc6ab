"""The format of times in records, status and logs."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(moment: float) -> str:
    """*moment* (seconds since the epoch) as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
