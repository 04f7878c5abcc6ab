"""Optional OpenTelemetry spans, one per row with one per attempt inside. Nothing is imported unless they are wanted.

They are on if the environment names a receiver, as OpenTelemetry specifies: ``OTEL_EXPORTER_OTLP_ENDPOINT``,
``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` or ``OTEL_TRACES_EXPORTER=otlp``. Everything else (headers, sampling, service
name, batches) is up to the SDK and its own variables. Attempts have the attributes of the GenAI conventions where
those define one. No span contains a key, a prompt or what the API wrote.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pipeline.attempt import Attempt, Tokens, Verdict
from pipeline.engine.task_context import TaskContext, current
from pipeline.ports import Observer
from pipeline.record import Outcome, Record

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

log = logging.getLogger("retouch.traces")

_RECEIVERS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"
#: The conventions' words for what is asked of whom.
_OPERATION, _PROVIDER = "generate_content", "gcp.gemini"
_GOOD = (Verdict.IMAGE, Verdict.TEXT)


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment asks for spans."""
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    return exporter == "otlp" or any(environment.get(name, "").strip() for name in _RECEIVERS)


@contextlib.contextmanager
def tracing() -> Iterator[tuple[Observer, ...]]:
    """The observer that makes spans while the block runs, if they are wanted; the last ones are sent when it ends."""
    if not wanted() or not _possible():
        yield ()
        return
    provider = _provider()
    try:
        yield (Traces(provider.get_tracer("retouch", version("retouch"))),)
    finally:
        provider.shutdown()


def _possible() -> bool:
    """Whether spans can be sent as the environment asks; if not, jobs run without."""
    if importlib.util.find_spec("opentelemetry") is None or not _exporter_is_there():
        log.warning("traces_off: the environment asks for spans; install retouch[traces] to have them")
        return False
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), _HTTP)
    if protocol != _HTTP:
        log.warning(
            "traces_off: the environment asks for %s; set OTEL_EXPORTER_OTLP_PROTOCOL=%s", protocol, _HTTP
        )
        return False
    return True


def _exporter_is_there() -> bool:
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _provider() -> TracerProvider:
    # An optional extra that takes a tenth of a second to import.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    ours = Resource({"service.name": "retouch", "service.version": version("retouch")})
    said = Resource.create()
    if str(said.attributes.get("service.name", "")).startswith("unknown_service"):
        said = said.merge(ours)
    provider = TracerProvider(resource=ours.merge(said), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Traces:
    """:class:`pipeline.ports.Observer`: makes the spans of rows and attempts."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._rows: dict[int, Span] = {}

    def call_begun(self) -> None:
        """Nothing: the span of an attempt is made when it ends and everything is known."""

    def call_ended(self, attempt: Attempt) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415

        scope = current()
        if scope is None:
            return
        began = round(datetime.fromisoformat(attempt.started_at).timestamp() * 1e9)
        span = self._tracer.start_span(
            f"{_OPERATION} {scope.model}",
            self._within(scope),
            SpanKind.CLIENT,
            _of_attempt(attempt, scope),
            start_time=began,
        )
        if attempt.verdict not in _GOOD:
            span.set_status(Status(StatusCode.ERROR, attempt.verdict))
        span.end(began + round(attempt.seconds * 1e9) if attempt.seconds else time.time_ns())

    def row_settled(self, record: Record) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        scope = current()
        if scope is None:
            return
        span = self._row(scope)
        span.set_attributes(_of_row(record))
        if record.outcome in (Outcome.FAILED, Outcome.BLOCKED, Outcome.INVALID):
            span.set_status(Status(StatusCode.ERROR, record.outcome))

    def _within(self, scope: TaskContext) -> Context:
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

        return set_span_in_context(self._row(scope))

    def _row(self, scope: TaskContext) -> Span:
        """The row's span, which ends when this process stops working on the row, settled or not."""
        from opentelemetry.context import Context  # noqa: PLC0415

        key = id(scope)
        if key not in self._rows:
            named = {"retouch.job": scope.job, "retouch.shard": scope.shard, "retouch.row": scope.row}
            attributes = {name: value for name, value in named.items() if value is not None}
            span = self._tracer.start_span("row", Context(), attributes=attributes, start_time=scope.began)
            self._rows[key] = span
            # The scope lives until then, so no other object has its id.
            scope.at_end.append(lambda: self._rows.pop(key).end())
        return self._rows[key]


def _of_attempt(attempt: Attempt, scope: TaskContext) -> dict[str, Any]:
    """The attributes of an attempt's span, without those that are unknown."""
    said = {
        "gen_ai.operation.name": _OPERATION,
        "gen_ai.provider.name": _PROVIDER,
        "gen_ai.request.model": scope.model,
        "gen_ai.output.type": "image",
        "gen_ai.response.finish_reasons": [attempt.finish_reason] if attempt.finish_reason else None,
        "http.response.status_code": attempt.http_status,
        "error.type": None if attempt.verdict in _GOOD else str(attempt.verdict),
        "retouch.job": scope.job,
        "retouch.shard": scope.shard,
        "retouch.row": scope.row,
        "retouch.attempt": attempt.n,
        "retouch.verdict": str(attempt.verdict),
        "retouch.counted": attempt.counted,
        "retouch.unknown": attempt.unknown,
        "retouch.prompt_variant": str(attempt.prompt_variant),
        "retouch.cost_usd": attempt.cost_usd,
        **(_usage(attempt.tokens) if attempt.tokens else {}),
    }
    return {name: value for name, value in said.items() if value is not None}


def _usage(tokens: Tokens) -> dict[str, int]:
    return {
        "gen_ai.usage.input_tokens": tokens.input,
        "gen_ai.usage.output_tokens": tokens.output_text + tokens.output_image + tokens.thoughts,
        "gen_ai.usage.reasoning.output_tokens": tokens.thoughts,
    }


def _of_row(record: Record) -> dict[str, Any]:
    said = {
        "retouch.outcome": str(record.outcome),
        "retouch.reason": record.code,
        "retouch.attempts": len(record.attempts),
        "retouch.reused": record.reused,
        "retouch.cost_usd": record.cost_usd,
    }
    return {name: value for name, value in said.items() if value is not None}
