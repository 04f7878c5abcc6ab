"""The format of log lines: text for people, JSON for machines; each names the job, shard and row that it is about.

A line's template is constant and begins with the name of the event: ``row_settled job=%s row=%s outcome=%s``. The
fields of a JSON line are taken from it.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Any

import msgspec

from jobs.masking import masked
from pipeline.engine.task_context import current
from pipeline.log_event import event_name
from pipeline.timestamp import utc

#: What a line may be about, in the order in which it is shown.
_SCOPE = ("job", "shard", "row")
#: A placeholder of a template, with its name if it has one; or an escaped percent sign.
_PLACE = re.compile(r"%%|(?:\b(\w+)=)?%[-#0 +]*\d*(?:\.\d+)?[a-zA-Z]")
#: Keys of every line; a field of a template that is called so gets an underscore.
_RESERVED = frozenset(("time", "level", "logger", "event", "message", "error"))
_OURS = "retouch"


class TextLine(logging.Formatter):
    """A line for people, with *tracebacks* if asked for."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, pattern: str, *, tracebacks: bool) -> None:
        super().__init__(pattern)
        self.converter = time.gmtime
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        if self._tracebacks or not record.exc_info:
            return masked(super().format(record))
        plain = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        reason = record.exc_info[1]
        return masked(f"{super().format(plain)} ({reason or type(reason).__name__}; --debug shows where)")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, with the job, shard and row that its message does not name itself."""
        line = super().formatMessage(record)
        unsaid = {name: value for name, value in _scope().items() if f"{name}=" not in record.message}
        return " ".join([line, *(f"{name}={value}" for name, value in unsaid.items())])


class JsonLine(logging.Formatter):
    """A line for machines: one JSON object, always with tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.partition(".")[0] == _OURS
        said: dict[str, Any] = {
            "time": utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": event_name(record) if ours else None,
            "message": record.getMessage(),
            **_scope(),
            **(_fields(record) if ours else {}),
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        fields = {name: _plain(value) for name, value in said.items() if value is not None}
        return msgspec.json.encode(fields).decode()


def _scope() -> dict[str, str | int]:
    scope = current()
    return {name: value for name in _SCOPE if scope and (value := getattr(scope, name)) is not None}


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """The values that the line's template names."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    names = [place[1] for place in _PLACE.finditer(str(record.msg)) if place[0] != "%%"]
    return {
        f"{name}_" if name in _RESERVED else name: value
        for name, value in zip(names, arguments, strict=False)
        if name
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float) else masked(str(value))
