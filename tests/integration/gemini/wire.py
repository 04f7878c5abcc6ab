"""Both ends of a wire: servers that answer as they are told, and calls to them."""

import asyncio
import base64
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pipeline.gemini.answer import Answer, Failure
from pipeline.gemini.client import Client
from pipeline.gemini.request import ImageRequest
from pipeline.gemini.verdict import judge
from pipeline.picture import SentPicture

KEY = "AIzaSyD-key-of-the-tests-0123456789abcdef"
RAW = bytes(range(256)) * 600
INLINE = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(RAW).decode()}}
BODY = json.dumps({"candidates": [{"content": {"parts": [INLINE]}}]}, indent=2).encode()
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Handler = Callable[[Reader, Writer], Awaitable[None]]

PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port that hands each connection to *handler*."""
    tasks: set[asyncio.Task[Any]] = set()

    async def connected(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Request:
    """One request as it arrived."""

    def __init__(self, head: bytes, body: bytes) -> None:
        line, *fields = head.decode().split("\r\n")
        self.method, self.target, _ = line.split(" ")
        self.headers = {
            name.lower(): value for name, _, value in (field.partition(": ") for field in fields if field)
        }
        self.body = body


async def received(reader: Reader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    request = Request(head[:-4], b"")
    request.body = await reader.readexactly(int(request.headers.get("content-length", 0)))
    return request


def http(body: bytes = BODY, status: int = 200, *fields: str, length: int | None = None) -> bytes:
    announced = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {announced}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(*answers: bytes, seen: list[Request] | None = None) -> Handler:
    """A handler that gives *answers* in turn, the last one for ever, on connections that are kept."""
    rest = list(answers)

    async def handle(reader: Reader, writer: Writer) -> None:
        while True:
            request = await received(reader)
            if seen is not None:
                seen.append(request)
            writer.write(rest.pop(0) if len(rest) > 1 else rest[0])
            await writer.drain()

    return handle


def picture(path: Path, size: int | None = None) -> SentPicture:
    return SentPicture(
        path=path, mime_type="image/png", bytes=path.stat().st_size if size is None else size,
        sha256="", width=1, height=1,
        original_sha256="", original_mime_type="image/png",
    )  # fmt: skip


def asking(*pictures: SentPicture) -> ImageRequest:
    return ImageRequest(model="m", prompt="Make it blue", pictures=pictures)


async def outcome(
    port: int | str,
    request: ImageRequest | None = None,
    *,
    timeout: float = 20.0,  # noqa: ASYNC109 - it is the call's
    **more: Any,
) -> Answer | Failure:
    url = f"http://127.0.0.1:{port}" if isinstance(port, int) else port
    async with (
        Client(key=KEY, base_url=url, **more) as client,
        client.call(request or asking(), timeout=timeout) as reply,
    ):
        return reply


async def broken(port: int | str, request: ImageRequest | None = None, **more: Any) -> Failure:
    reply = await outcome(port, request, **more)
    assert isinstance(reply, Failure)
    return reply


async def whole(port: int | str, request: ImageRequest | None = None, **more: Any) -> Answer:
    reply = await outcome(port, request, **more)
    assert isinstance(reply, Answer)
    return reply


def raw(reply: Answer) -> bytes:
    return bytes(judge(reply).picture or b"")


def reset(writer: Writer) -> None:
    """Close with a reset, as a machine that dies does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
