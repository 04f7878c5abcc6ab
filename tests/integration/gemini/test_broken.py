"""Calls that break, over real sockets: what is known of them then."""

import asyncio
import socket

import pytest

from pipeline.attempt import Verdict
from pipeline.gemini.answer import FailureKind
from pipeline.gemini.verdict import judge
from pipeline.picture import SentPicture
from tests.integration.gemini.wire import (
    BODY,
    RAW,
    Handler,
    Reader,
    Writer,
    asking,
    broken,
    http,
    raw,
    received,
    reset,
    serving,
    whole,
)


async def test_refused() -> None:
    """Never connected: nothing was begun, nothing counts."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        failure = await broken(unused.getsockname()[1])
    assert (failure.kind, failure.begun, failure.sent) == (FailureKind.NETWORK, False, False)
    assert "refused" in failure.detail.lower() or "Connect" in failure.detail


@pytest.mark.parametrize("hard", [True, False])
async def test_lost_after_sending(hard: bool) -> None:
    """Sent, then reset or closed: it may have been paid for."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        if hard:
            reset(writer)

    async with serving(handle) as port:
        failure = await broken(port)
    assert (failure.kind, failure.begun, failure.sent) == (FailureKind.NETWORK, True, True)
    judged = judge(failure)
    assert (judged.verdict, judged.counted, judged.unknown) == (Verdict.NETWORK, True, True)


@pytest.mark.parametrize("hard", [True, False])
async def test_lost_while_sending(hard: bool, large: SentPicture) -> None:
    """Never fully sent: begun, and surely not paid for."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(100_000)
        if hard:
            reset(writer)

    async with serving(handle) as port:
        failure = await broken(port, asking(large))
    assert (failure.kind, failure.begun, failure.sent) == (FailureKind.NETWORK, True, False)
    assert not judge(failure).counted


async def test_late_after_sending() -> None:
    """A server that takes the request and says nothing."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        await reader.read()

    async with serving(handle) as port:
        failure = await broken(port, timeout=0.1)
    assert (failure.kind, failure.begun, failure.sent) == (FailureKind.TIMEOUT, True, True)
    assert failure.seconds >= 0.1
    assert judge(failure).verdict is Verdict.TIMEOUT


async def test_late_while_sending(large: SentPicture) -> None:
    """A server that does not read: the deadline covers sending."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await asyncio.Event().wait()

    async with serving(handle) as port:
        failure = await broken(port, asking(large), timeout=0.2)
    assert (failure.kind, failure.begun, failure.sent) == (FailureKind.TOO_SHORT, True, False)
    assert (judge(failure).verdict, judge(failure).too_short) == (Verdict.NETWORK, True)


async def test_late_connecting() -> None:
    """A listener whose queue is full: the deadline covers connecting."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        crowd = [socket.socket() for _ in range(3)]
        for each in crowd:
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        failure = await broken(deaf.getsockname()[1], timeout=0.1)
        for each in crowd:
            each.close()
    assert (failure.kind, failure.begun, failure.sent) == (FailureKind.TOO_SHORT, False, False)


async def test_the_deadline_of_connecting_ends_with_the_connection() -> None:
    """Once there is a connection only the whole deadline holds while the picture is made."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        await asyncio.sleep(0.4)
        writer.write(http())
        await writer.drain()

    async with serving(handle) as port:
        assert raw(await whole(port, connect=0.3)) == RAW


async def test_an_answer_that_is_slow_but_comes() -> None:
    """Each piece gives an answer more time, up to the whole deadline."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(http(b"", length=len(BODY)))
        for start in range(0, len(BODY), len(BODY) // 10):
            await asyncio.sleep(0.05)
            writer.write(BODY[start : start + len(BODY) // 10])

    async with serving(handle) as port:
        assert raw(await whole(port, idle=0.4)) == RAW


async def test_an_answer_that_stalls() -> None:
    """An answer that has begun and goes silent does not hold its turn until the whole deadline."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(http(BODY[:-5], length=len(BODY)))
        await reader.read()

    async with serving(handle) as port:
        failure = await broken(port, idle=0.1)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, True)
    assert failure.detail == "the answer stood still for 0.1 s"


async def test_an_answer_that_breaks_before_the_request_was_sent(large: SentPicture) -> None:
    """A 200 says that somebody works on the request, although we have not sent all of it."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1000)
        writer.write(http(BODY[:-5], length=len(BODY)))
        await asyncio.Event().wait()

    async with serving(handle) as port:
        failure = await broken(port, asking(large), idle=0.1)
    assert (failure.kind, failure.begun, failure.sent) == (FailureKind.TIMEOUT, True, True)


async def test_a_dribble_ends_at_the_deadline() -> None:
    """Bytes that keep coming do not keep the call alive."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(http(b"", length=100_000))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(handle) as port:
        failure = await broken(port, timeout=0.2)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, True)
    assert 0.2 <= failure.seconds < 5


async def test_shorter_than_announced() -> None:
    """An answer that is cut: outcome unknown, whatever had come of it."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(http(BODY[:-5], length=len(BODY)))
        await writer.drain()

    async with serving(handle) as port:
        failure = await broken(port)
    assert (failure.kind, failure.sent) == (FailureKind.NETWORK, True)
    assert "cut off" in failure.detail


async def test_cut_without_announcement() -> None:
    """No length was announced and the JSON is not whole: cut, too. If it is whole, it is an answer."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

    def closing(body: bytes) -> Handler:
        async def handle(reader: Reader, writer: Writer) -> None:
            await received(reader)
            writer.write(head + body)
            await writer.drain()

        return handle

    async with serving(closing(BODY[:-50])) as port:
        judged = judge(await whole(port))
    assert (judged.verdict, judged.unknown, judged.counted) == (Verdict.NETWORK, True, True)
    async with serving(closing(BODY)) as port:
        assert raw(await whole(port)) == RAW


async def test_a_cut_error_is_still_that_error() -> None:
    """What a 503 says is not needed to know that it is one."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(http(b'{"error"', 503, length=1000))
        await writer.drain()

    async with serving(handle) as port:
        assert judge(await whole(port)).verdict is Verdict.OVERLOADED


async def test_an_answer_before_the_request_was_sent(large: SentPicture) -> None:
    """A 429 that comes while the body is being sent is that 429."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1000)
        writer.write(http(b'{"error":{"code":429}}', 429))
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(handle) as port:
        assert judge(await whole(port, asking(large))).verdict is Verdict.THROTTLED


@pytest.mark.parametrize(
    "nonsense", [b"\x00\x01\x02\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"\r\n" * 9]
)
async def test_not_http(nonsense: bytes) -> None:
    """Something else listens there: no crash."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(nonsense)
        await writer.drain()

    async with serving(handle) as port:
        failure = await broken(port)
    assert (failure.kind, failure.sent) == (FailureKind.NETWORK, True)
