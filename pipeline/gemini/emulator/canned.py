"""A server for benchmarks: it answers every ``generateContent`` with the same prebuilt body, at almost no cost.

Bodies of requests are read into one shared buffer and discarded; the answer is sent in pieces of the one prebuilt
object, so that no call has its own copy. Keys and requests are not checked; :class:`.server.Emulator` does that.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import time
from array import array
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

from pipeline.errors import UsageError
from pipeline.gemini.emulator.canned_body import canned_body
from pipeline.gemini.emulator.http_framing import BodyReader, Head, parse_head
from pipeline.gemini.emulator.options import CannedOptions

_BUFFER = 256 * 1024
_PIECE = 256 * 1024
_MAX_HEAD = 64 * 1024
TIMINGS_KEPT = 200_000


class CannedServer:
    """Serves on the running loop.

    ::

        async with CannedServer(CannedOptions(latency=Latency.parse("lognormal:8:0.5"))) as server:
            ...  # calls to server.url
            server.summary()
    """

    def __init__(self, options: CannedOptions | None = None) -> None:
        self.options = options or CannedOptions()
        self.url = ""
        self.answer = _with_head(canned_body())
        self.buffer = bytearray(_BUFFER)  # one for all connections: a loop reads one of them at a time
        self._latencies = random.Random(self.options.seed)  # noqa: S311 - repeatable, not secret
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget all calls but those in flight."""
        self._calls = 0
        self._answered = 0
        self._max_in_flight = self._in_flight
        self._latency_of = array("d")
        self._arrived_at = array("d")
        self._answered_at = array("d")

    async def __aenter__(self) -> Self:
        options = self.options
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self), options.host, options.port, ssl=options.ssl_context, backlog=4096
            )
        except OSError as error:
            raise UsageError(f"cannot listen on {options.host}:{options.port}: {error.strerror}") from error
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if options.ssl_context else 'http'}://{options.host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        if self._server:
            await self._server.wait_closed()

    def connected(self, connection: _Connection) -> None:
        """Remember a connection, to close it at the end."""
        self._connections.add(connection)

    def disconnected(self, connection: _Connection) -> None:
        """Forget it."""
        self._connections.discard(connection)

    def arrive(self) -> float:
        """Count a call whose body is there; the seconds until its answer."""
        self._calls += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        latency = self.options.latency.draw(self._latencies)
        if len(self._latency_of) < TIMINGS_KEPT:
            self._latency_of.append(latency)
            self._arrived_at.append(time.time())
        return latency

    def leave(self, *, answered: bool) -> None:
        """Count the end of a call, answered or gone."""
        self._in_flight -= 1
        if answered:
            self._answered += 1
            if len(self._answered_at) < TIMINGS_KEPT:
                self._answered_at.append(time.time())

    def summary(self) -> dict[str, Any]:
        """Counts, the server's own CPU seconds, and per call (in order of arrival) latency and time."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "calls": self._calls,
            "answered": self._answered,
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "latencies": list(self._latency_of),
            "arrived_at": list(self._arrived_at),
            "answered_at": list(self._answered_at),
        }


class _Connection(asyncio.BufferedProtocol):
    """One keep-alive connection: head, body, answer, and again."""

    def __init__(self, server: CannedServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._head = bytearray()
        self._body: BodyReader | None = None
        self._after_body: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._left: memoryview | None = None
        self._writable = True
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connected(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        if self._answering:
            self._server.leave(answered=False)
        self._transport = None
        self._server.disconnected(self)

    def abort(self) -> None:
        """Close at once."""
        if self._transport:
            self._transport.abort()

    def get_buffer(self, _size_hint: int) -> bytearray:
        return self._server.buffer

    def buffer_updated(self, count: int) -> None:
        self._take(memoryview(self._server.buffer)[:count])

    def _take(self, data: memoryview) -> None:
        if self._body:
            rest = self._body.feed(data)
            if self._body.done:
                self._body = None
                self._finish_request()
                if rest:
                    self._head += rest
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _MAX_HEAD:
                self.abort()
            return
        self._begin(parse_head(bytes(self._head[:end])), bytes(self._head[end + 4 :]))

    def _begin(self, head: Head, rest: bytes) -> None:
        self._head.clear()
        self._body = BodyReader(head)
        self._after_body = self._action(head)
        if head.expects_continue and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._take(memoryview(rest))

    def _action(self, head: Head) -> Callable[[], None]:
        path = head.target.partition("?")[0]
        if head.method == "POST" and path.endswith(":generateContent"):
            return self._call
        if head.method == "GET" and path == "/ledger/summary":
            return lambda: self._send_json("200 OK", self._server.summary())
        if path in {"/ledger", "/ledger/reset"} and head.method in {"DELETE", "POST"}:
            return self._reset
        error = {"code": 404, "message": f"{path} is not served by --canned.", "status": "NOT_FOUND"}
        return lambda: self._send_json("404 Not Found", {"error": error})

    def _finish_request(self) -> None:
        action, self._after_body = self._after_body, None
        if action:
            action()

    def _call(self) -> None:
        self._answering = True
        latency = self._server.arrive()
        if latency:
            self._timer = asyncio.get_running_loop().call_later(latency, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        self._timer = None
        self._left = memoryview(self._server.answer)
        self._write_on()

    def _write_on(self) -> None:
        """Write pieces until the transport asks to wait: never more than one piece is copied."""
        while self._left is not None and self._writable and self._transport:
            if not self._left:
                self._left = None
                self._answering = False
                self._server.leave(answered=True)
                return
            piece, self._left = self._left[:_PIECE], self._left[_PIECE:]
            self._transport.write(piece)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._write_on()

    def _reset(self) -> None:
        self._server.reset()
        self._send_json("200 OK", {})

    def _send_json(self, status: str, document: Any) -> None:
        if self._transport:
            self._transport.write(_with_head(json.dumps(document).encode(), status))


def _with_head(body: bytes, status: str = "200 OK") -> bytes:
    kind = "Content-Type: application/json; charset=UTF-8"
    return f"HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
