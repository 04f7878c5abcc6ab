"""Logs: to standard error, and to a file if asked; a key can never be in them.

Standard output is data and carries no log. Without ``-v`` only warnings are shown, a line each; a traceback is
for ``--debug`` and for the file.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from dataclasses import dataclass
from typing import TextIO

from jobs.environment import KEYS, URLS_WITH_PASSWORDS
from pipeline.errors import UsageError

#: Loggers of this program; libraries speak up only for warnings, whatever the level (httpx logs every URL).
OURS = "retouch"

_MASK = "[hidden]"
#: Shorter values would mask ordinary words.
_SECRET_LENGTH = 6
_PASSWORD = re.compile(r"://[^/@:\s]*:([^@/\s]+)@")


@dataclass
class LogOptions:
    """What ``-v``, ``--debug`` and ``--log-file`` said, before or after the command's name."""

    verbose: bool = False
    debug: bool = False
    file: str | None = None

    @property
    def level(self) -> int:
        """From which level on lines are shown."""
        if self.debug:
            return logging.DEBUG
        return logging.INFO if self.verbose else logging.WARNING


def begin(options: LogOptions) -> None:
    """Send logs where *options* say.

    Raises:
        UsageError: the log file cannot be written.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, _Masking)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(min(options.level, logging.INFO if options.file else options.level))
    screen = _ToStandardError()
    screen.setLevel(options.level)
    screen.setFormatter(_Masking("%(levelname)s %(name)s: %(message)s", tracebacks=options.debug))
    root.addHandler(screen)
    if options.file:
        root.addHandler(_file_handler(options.file))


def masked(text: str) -> str:
    """*text* without the keys and passwords of this process's environment."""
    for secret in _secrets():
        text = text.replace(secret, _MASK)
    return text


def _secrets() -> list[str]:
    found = [os.environ.get(name, "") for name in KEYS]
    for name in URLS_WITH_PASSWORDS:
        found += _PASSWORD.findall(os.environ.get(name, ""))
    return [secret for secret in found if len(secret) >= _SECRET_LENGTH]


def _file_handler(path: str) -> logging.Handler:
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--log-file {path}: cannot be written ({error.strerror}); choose another file"
        ) from error
    formatter = _Masking("%(asctime)s %(levelname)s %(name)s: %(message)s", tracebacks=True)
    formatter.converter = time.gmtime
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.default_msec_format = "%s.%03dZ"
    handler.setFormatter(formatter)
    return handler


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Looks standard error up at every line: the live view puts itself in its place, to write above itself."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the base class keeps it in an attribute
        """Standard error as it is now."""
        return sys.stderr


class _Masking(logging.Formatter):
    """The last door: whatever a message holds, a key leaves as ``[hidden]``."""

    def __init__(self, pattern: str, *, tracebacks: bool) -> None:
        super().__init__(pattern)
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        if self._tracebacks or not record.exc_info:
            return masked(super().format(record))
        plain = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        reason = record.exc_info[1]
        return masked(f"{super().format(plain)} ({reason or type(reason).__name__}; --debug shows where)")
