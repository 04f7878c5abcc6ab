"""What each log line of this program begins with: the name of its event."""

from __future__ import annotations

import logging
import re

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def event_name(record: logging.LogRecord) -> str | None:
    """The name of the event in the template of *record*; the values in the line may come from outside."""
    found = _NAME.match(str(record.msg))
    return found[0] if found else None
