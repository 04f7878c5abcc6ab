"""The metric that counts warnings and errors of the log."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter

from pipeline.log_event import event_name


class Events(logging.Handler):
    """Counts warnings and errors by the first word of the line, which is the event's name.

    Args:
        registry: where the counter is.
        expected: levels and names of events with an alert. Their series begin at zero: for Prometheus, the first
            value of a new series is no increase.
    """

    def __init__(self, registry: CollectorRegistry, expected: Iterable[tuple[str, str]]) -> None:
        super().__init__(logging.WARNING)
        text = "Warnings and errors of the log."
        self._counter = Counter("retouch_events", text, ("level", "event"), registry=registry)
        for level, event in expected:
            self._counter.labels(level, event)

    def emit(self, record: logging.LogRecord) -> None:
        self._counter.labels(record.levelname.lower(), event_name(record) or "other").inc()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Count while the block runs."""
        ours = logging.getLogger("retouch")
        ours.addHandler(self)
        try:
            yield
        finally:
            ours.removeHandler(self)
