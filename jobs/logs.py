"""Logs, on standard error and in ``--log-file``; they never contain a key.

Without ``-v`` only warnings are shown, in one line each. Tracebacks appear with ``--debug``, in the file and in JSON.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import TextIO

from jobs.log_lines import JsonLine, TextLine
from pipeline.errors import UsageError

#: The parent of this program's loggers; libraries log only warnings, whatever the level.
OURS = "retouch"

_TALKATIVE = ("httpcore", "aiohttp")


@dataclass
class LogOptions:
    """What ``-v``, ``--debug``, ``--log-file`` and ``--log-format`` say; the fields are named as the parameters."""

    verbose: bool = False
    debug: bool = False
    log_file: str | None = None
    log_format: str = "text"

    @property
    def level(self) -> int:
        """The lowest level that is shown."""
        if self.debug:
            return logging.DEBUG
        return logging.INFO if self.verbose else logging.WARNING


def begin(options: LogOptions) -> None:
    """Send logs where *options* say.

    Raises:
        UsageError: the log file cannot be written.
    """
    root = logging.getLogger()
    for handler in [
        handler for handler in root.handlers if isinstance(handler.formatter, TextLine | JsonLine)
    ]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.WARNING)
    for library in _TALKATIVE:
        # By name, since Celery sets the level of the root logger to ours.
        logging.getLogger(library).setLevel(logging.NOTSET if options.debug else logging.WARNING)
    # Always: httpx logs every URL, and that of a webhook may be a secret.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(min(options.level, logging.INFO if options.log_file else options.level))
    screen = _ToStandardError()
    screen.setLevel(options.level)
    screen.setFormatter(_line("%(levelname)s %(name)s: %(message)s", options, tracebacks=options.debug))
    root.addHandler(screen)
    if options.log_file:
        file = _file_handler(options.log_file)
        file.setFormatter(_line("%(asctime)s %(levelname)s %(name)s: %(message)s", options, tracebacks=True))
        root.addHandler(file)
    # With JSON, warnings of Python are JSON lines, too.
    logging.captureWarnings(options.log_format == "json")


def _line(pattern: str, options: LogOptions, *, tracebacks: bool) -> logging.Formatter:
    return JsonLine() if options.log_format == "json" else TextLine(pattern, tracebacks=tracebacks)


def _file_handler(path: str) -> logging.Handler:
    try:
        return logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--log-file {path}: cannot be written ({error.strerror}); choose another file"
        ) from error


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Looks up standard error at every line, since the live view replaces it, to write above itself."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # the base class keeps it in an attribute
        """Standard error as it is now."""
        return sys.stderr
