"""A TCP proxy before Redis that can cut, stall, refuse and lose."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PIECE = 65536
_RESET = struct.pack("ii", 1, 0)


class _Line:
    """One connection through the proxy.

    Attributes:
        dead: half open: both ends believe in it, and nothing arrives any more.
        consumes: it is one on which a worker waits for messages.
    """

    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.dead = False
        self.consumes = False
        self._writers = writers

    def cut(self) -> None:
        """End both sides with a reset."""
        for writer in self._writers:
            with contextlib.suppress(OSError, AttributeError):
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


class Proxy:
    """Passes connections on to *port*, on a loop in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._lines: set[_Line] = set()
        self._flows = asyncio.Event()
        self._refuses = False
        self._loses_messages = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def anew(self) -> None:
        """Pass everything on."""
        self._on_loop(self._anew)

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        return self._on_loop(self._cut)

    def stall(self) -> None:
        """A network that swallows everything: connections stand, nothing arrives, until :meth:`anew`."""
        self._on_loop(self._flows.clear)

    def refuse(self) -> None:
        """Reset every connection, old and new, until :meth:`anew`."""
        self._on_loop(self._refuse)

    def lose_consumers(self, *, for_ever: bool = False) -> int:
        """Make the connections on which messages are awaited half open; how many. *for_ever*: new ones too."""
        return self._on_loop(lambda: self._lose(for_ever=for_ever))

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _on_loop(self, work: Callable[[], T]) -> T:
        async def once() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(once(), self._loop).result(10)

    async def _open(self) -> asyncio.Server:
        self._flows.set()
        return await asyncio.start_server(self._pass_on, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        self._anew()
        self._cut()
        here = asyncio.current_task()
        await asyncio.gather(
            *(task for task in asyncio.all_tasks() if task is not here), return_exceptions=True
        )

    def _anew(self) -> None:
        self._refuses = self._loses_messages = False
        for line in [line for line in self._lines if line.dead]:
            line.cut()
        self._flows.set()

    def _cut(self) -> int:
        lines = list(self._lines)
        for line in lines:
            line.cut()
        return len(lines)

    def _refuse(self) -> None:
        self._refuses = True
        self._cut()

    def _lose(self, *, for_ever: bool) -> int:
        self._loses_messages = for_ever
        lost = [line for line in self._lines if line.consumes]
        for line in lost:
            line.dead = True
        return len(lost)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            _Line(writer).cut()
            return
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _Line(writer).cut()
            return
        line = _Line(writer, server_writer)
        self._lines.add(line)
        try:
            await asyncio.gather(
                self._pump(line, reader, server_writer, from_client=True),
                self._pump(line, server_reader, writer, from_client=False),
            )
        except OSError:
            pass
        finally:
            self._lines.discard(line)
            line.cut()

    async def _pump(
        self, line: _Line, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        while piece := await source.read(_PIECE):
            if from_client and b"BRPOP" in piece:
                line.consumes = True
                line.dead = line.dead or self._loses_messages
            await self._flows.wait()
            if not line.dead:
                sink.write(piece)
                await sink.drain()
        # An end of file is an end of the line: Redis has no half-closed connections.
        line.cut()
