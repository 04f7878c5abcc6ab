"""A receiver of OpenTelemetry's protocol over HTTP, as a process of its own: writes each span as a line of JSON.

``python -m tests.integration.otlp FILE`` prints its URL.
"""

from __future__ import annotations

import gzip
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Receiver(BaseHTTPRequestHandler):
    """Takes spans at ``/v1/traces``."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        with Path(sys.argv[1]).open("a") as file:
            file.writelines(json.dumps(span) + "\n" for span in spans(request))
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()
        self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    def log_message(self, *_: object) -> None:
        """Nothing."""


def spans(request: ExportTraceServiceRequest):
    """Every span of *request*, with its resource's attributes."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "name": span.name,
                    "trace": span.trace_id.hex(),
                    "id": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "kind": span.kind,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "status": span.status.code,
                    "attributes": {pair.key: value_of(pair.value) for pair in span.attributes},
                    "resource": {pair.key: value_of(pair.value) for pair in resource.resource.attributes},
                }


def value_of(value) -> object:
    """The one value of a protobuf union."""
    kind = value.WhichOneof("value")
    return (
        [value_of(item) for item in value.array_value.values]
        if kind == "array_value"
        else getattr(value, kind)
    )


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
