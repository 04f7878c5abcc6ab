"""Sends answers: completely, slowly, partly or not at all."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

from pipeline.gemini.emulator.answers.reply import Delivery, Reply
from pipeline.gemini.emulator.google_errors import invalid
from pipeline.gemini.emulator.ledger import Call

MAX_BODY = 100 * 1024 * 1024
_PIECE = 256 * 1024
_SLOW_TICK_S = 0.05


async def read_body(request: web.Request, call: Call) -> bytes:
    """The request's body; a 400 beyond 100 MB (section 1.2), a cancellation when the client goes away."""
    _check_size(request.content_length or 0)
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        call.bytes_received += len(piece)
        _check_size(call.bytes_received)
    call.body_received = True
    return bytes(body)


def _check_size(size: int) -> None:
    if size > MAX_BODY:
        raise invalid(f"Request payload size exceeds the limit: {MAX_BODY} bytes.")


async def deliver(request: web.Request, call: Call, reply: Reply, body: bytes) -> web.StreamResponse:
    """Send an answer in its ordered way, and enter in the ledger how much of it was sent."""
    if reply.delivery is Delivery.HANG:
        await asyncio.Event().wait()
    if reply.delivery is Delivery.RESET:
        reset(request)
        return web.Response()
    call.status = reply.status
    response = web.StreamResponse(
        status=reply.status, headers={"Content-Type": reply.content_type, **reply.headers}
    )
    response.content_length = len(body)
    _report_every_byte(request)
    await response.prepare(request)
    if reply.delivery is Delivery.CUT:
        await _send(response, call, memoryview(body)[: int(len(body) * reply.fraction)])
        if request.transport:
            request.transport.close()
        return response
    await _send(response, call, memoryview(body), rate=reply.rate)
    await response.write_eof()
    call.answered = True
    return response


def reset(request: web.Request) -> None:
    """End the connection with a reset, so that the client cannot take it for an ordinary close."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _report_every_byte(request: web.Request) -> None:
    """Make every write wait until the kernel has all of it; otherwise an unread answer would count as answered."""
    if request.transport:
        request.transport.set_write_buffer_limits(high=0)


async def _send(response: web.StreamResponse, call: Call, body: memoryview, rate: int = 0) -> None:
    piece = max(1, int(rate * _SLOW_TICK_S)) if rate else _PIECE
    for start in range(0, len(body), piece):
        await response.write(body[start : start + piece])
        call.bytes_sent += min(piece, len(body) - start)
        if rate:
            await asyncio.sleep(_SLOW_TICK_S)
