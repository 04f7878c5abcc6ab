"""``/metrics`` and ``/healthz`` over HTTP, in threads of their own: they answer even if the event loop hangs."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

#: Seconds that a client may take for its request.
_PATIENCE = 10.0


@contextmanager
def serving(
    host: str, port: int, registry: CollectorRegistry, fault: Callable[[], str | None]
) -> Iterator[str]:
    """Serve while the block runs; the URL.

    Args:
        host: where to listen.
        port: likewise; 0 picks a free one.
        registry: what ``/metrics`` shows.
        fault: why the process is unhealthy; ``None``: it is healthy.

    Raises:
        UsageError: the port is taken, or the address is none of this machine's.
    """
    try:
        server = make_server(host, port, _app(registry, fault), _server_class(host), _Quiet)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--metrics-port {port}: cannot listen at {host} ({error}); choose another port, one for each process"
        ) from error
    threading.Thread(target=server.serve_forever, name="retouch-metrics", daemon=True).start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _app(
    registry: CollectorRegistry, fault: Callable[[], str | None]
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    metrics: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]] = make_wsgi_app(registry)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        if path != "/healthz":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"not found; see /metrics and /healthz\n"]
        reason = fault()
        status = "200 OK" if reason is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        return [json.dumps({"healthy": reason is None, "reason": reason}).encode() + b"\n"]

    return app


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # The base class asks DNS for the host's name, which may take seconds.
        self.server_name = str(self.server_address[0])
        self.socket.bind(self.server_address)
        self.server_port = self.socket.getsockname()[1]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _Server6 if ":" in host else _Server


class _Quiet(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """A line for each scrape would drown the log."""
