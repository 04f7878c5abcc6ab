"""Calls over real sockets: what was sent, what came, and what is known when it breaks."""

import asyncio
import base64
import gzip
import json
import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from pipeline.edit import Verdict
from pipeline.errors import InvalidInput, KeyMissing, UsageError
from pipeline.gemini.answer import Answer, Failure, Kind
from pipeline.gemini.client import SENDING, Client
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


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_NAMES, *map(str.upper, PROXY_NAMES), "SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)


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


@pytest.fixture
def large(tmp_path: Path) -> SentPicture:
    """More than sockets and buffers of two sides hold."""
    path = tmp_path / "large"
    path.write_bytes(bytes(24 << 20))
    return picture(path)


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


# What is sent, and what comes


async def test_a_call(tmp_path: Path) -> None:
    """The request is the documented one, the answer's picture comes back decoded."""
    (tmp_path / "a").write_bytes(RAW)
    seen: list[Request] = []
    begun: list[int] = []
    async with (
        serving(answering(http(), seen=seen)) as port,
        Client(key=KEY, base_url=f"http://127.0.0.1:{port}/") as client,
    ):
        request = asking(picture(tmp_path / "a"))
        async with client.call(request, timeout=12.3, on_begun=lambda: begun.append(1)) as reply:
            assert isinstance(reply, Answer)
            assert raw(reply) == RAW
    (got,) = seen
    assert (got.method, got.target) == ("POST", "/v1beta/models/m:generateContent")
    assert got.headers["x-goog-api-key"] == KEY
    assert got.headers["x-server-timeout"] == "13"
    assert got.headers["accept-encoding"] == "identity"
    assert got.headers["content-type"] == "application/json"
    assert "authorization" not in got.headers
    assert "transfer-encoding" not in got.headers
    parts = json.loads(got.body)["contents"][0]["parts"]
    assert base64.b64decode(parts[0]["inlineData"]["data"]) == RAW
    assert parts[1] == {"text": "Make it blue"}
    assert begun == [1]


@pytest.mark.parametrize(("timeout", "told"), [(0.5, None), (9.9, None), (10.0, "10"), (300.0, "300")])
async def test_server_timeout(timeout: float, told: str | None) -> None:  # noqa: ASYNC109
    """The server is told the deadline, unless it would refuse it for being under ten seconds."""
    seen: list[Request] = []
    async with serving(answering(http(), seen=seen)) as port:
        await whole(port, timeout=timeout)
    assert seen[0].headers.get("x-server-timeout") == told


@pytest.mark.parametrize("prefix", ["", "/", "/gemini", "/gemini/", "/a%20b/c"])
async def test_base_url(prefix: str) -> None:
    """A path before the API's, with or without a slash, and a user and password of a proxy before it."""
    seen: list[Request] = []
    async with serving(answering(http(), seen=seen)) as port:
        await whole(f"http://us%40er:pä@127.0.0.1:{port}{prefix}")
    assert seen[0].target == f"{prefix.rstrip('/')}/v1beta/models/m:generateContent"
    assert base64.b64decode(seen[0].headers["authorization"].removeprefix("Basic ")).decode() == "us@er:pä"


@pytest.mark.parametrize("url", ["", "ftp://x", "no url", "http://", "https:///x", "http://[::1"])
async def test_no_base_url(url: str) -> None:
    """What is no URL is named as what it should be."""
    with pytest.raises(UsageError, match="base URL"):
        Client(key=KEY, base_url=url)


async def test_connections_are_kept() -> None:
    """One call after the other goes over one connection, errors among them."""
    connections = 0
    handle = answering(http(), http(b'{"error":{"code":503}}', 503), http())

    async def counting(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        await handle(reader, writer)

    statuses = []
    async with serving(counting) as port, Client(key=KEY, base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(3):
            async with client.call(asking(), timeout=20) as reply:
                assert isinstance(reply, Answer)
                statuses.append(reply.status)
    assert (statuses, connections) == ([200, 503, 200], 1)


async def test_chunked_and_compressed() -> None:
    """Chunked transfer in odd pieces; gzip although identity was asked for; what is not gzip is no JSON."""
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(BODY[n : n + 77_777]), BODY[n : n + 77_777])
        for n in range(0, len(BODY), 77_777)
    )
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    async with serving(answering(chunked)) as port:
        assert raw(await whole(port)) == RAW
    async with serving(answering(http(gzip.compress(BODY), 200, "Content-Encoding: gzip"))) as port:
        assert raw(await whole(port)) == RAW
    async with serving(answering(http(b"not gzip", 200, "Content-Encoding: gzip"))) as port:
        assert judge(await whole(port)).verdict is Verdict.NO_IMAGE


async def test_redirects_are_not_followed() -> None:
    """The key goes where it was meant for, and nowhere else."""
    elsewhere: list[Request] = []
    async with serving(answering(http(), seen=elsewhere)) as other:
        redirect = http(b"", 307, f"Location: http://127.0.0.1:{other}/")
        async with serving(answering(redirect)) as port:
            reply = await whole(port)
    assert judge(reply).verdict is Verdict.OVERLOADED
    assert reply.status == 307
    assert not elsewhere


async def test_retry_after() -> None:
    """The header is handed on with the moment it came."""
    async with serving(answering(http(b"{}", 429, "Retry-After: 7"))) as port:
        assert judge(await whole(port)).retry_after == 7.0


# What is known when it breaks


async def test_refused() -> None:
    """Never connected: nothing was begun, nothing counts."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        failure = await broken(unused.getsockname()[1])
    assert (failure.kind, failure.begun, failure.sent) == (Kind.NETWORK, False, False)
    assert "refused" in failure.detail.lower() or "Connect" in failure.detail


def reset(writer: Writer) -> None:
    """Close with a reset, as a machine that dies does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("hard", [True, False])
async def test_lost_after_sending(hard: bool) -> None:
    """Sent, then reset or closed: it may have been paid for."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        if hard:
            reset(writer)

    async with serving(handle) as port:
        failure = await broken(port)
    assert (failure.kind, failure.begun, failure.sent) == (Kind.NETWORK, True, True)
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
    assert (failure.kind, failure.begun, failure.sent) == (Kind.NETWORK, True, False)
    assert not judge(failure).counted


async def test_late_after_sending() -> None:
    """A server that takes the request and says nothing."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        await reader.read()

    async with serving(handle) as port:
        failure = await broken(port, timeout=0.1)
    assert (failure.kind, failure.begun, failure.sent) == (Kind.TIMEOUT, True, True)
    assert failure.seconds >= 0.1
    assert judge(failure).verdict is Verdict.TIMEOUT


async def test_late_while_sending(large: SentPicture) -> None:
    """A server that does not read: the deadline covers sending."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await asyncio.Event().wait()

    async with serving(handle) as port:
        failure = await broken(port, asking(large), timeout=0.2)
    assert (failure.kind, failure.begun, failure.sent) == (Kind.TIMEOUT, True, False)
    assert judge(failure).verdict is Verdict.NETWORK


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
    assert (failure.kind, failure.begun, failure.sent) == (Kind.TIMEOUT, False, False)


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
    assert (failure.kind, failure.sent) == (Kind.TIMEOUT, True)
    assert failure.seconds < 5


async def test_an_answer_that_breaks_before_the_request_was_sent(large: SentPicture) -> None:
    """A 200 says that somebody works on the request, although we have not sent all of it."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1000)
        writer.write(http(BODY[:-5], length=len(BODY)))
        await asyncio.Event().wait()

    async with serving(handle) as port:
        failure = await broken(port, asking(large), idle=0.1)
    assert (failure.kind, failure.begun, failure.sent) == (Kind.TIMEOUT, True, True)


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
    assert (failure.kind, failure.sent) == (Kind.TIMEOUT, True)
    assert 0.2 <= failure.seconds < 5


async def test_shorter_than_announced() -> None:
    """An answer that is cut: outcome unknown, whatever had come of it."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        writer.write(http(BODY[:-5], length=len(BODY)))
        await writer.drain()

    async with serving(handle) as port:
        failure = await broken(port)
    assert (failure.kind, failure.sent) == (Kind.NETWORK, True)
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
    assert (failure.kind, failure.sent) == (Kind.NETWORK, True)


# Inputs that change


async def test_a_picture_that_changed_before(tmp_path: Path) -> None:
    """Nothing is sent, nothing is begun."""
    (tmp_path / "a").write_bytes(b"abc")
    connections: list[Reader] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        connections.append(reader)

    async with serving(handle) as port:
        for spoilt in (picture(tmp_path / "a", 4), picture(tmp_path / "gone", 4)):
            with pytest.raises(InvalidInput, match="changed"):
                await outcome(port, asking(spoilt))
        await asyncio.sleep(0.01)
    assert not connections


async def test_a_picture_that_shrinks_under_way(large: SentPicture) -> None:
    """The request is given up before its end, and does not hang."""

    async def handle(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(100_000)
        with large.path.open("r+b") as file:
            file.truncate(1000)
        await reader.read()

    async with serving(handle) as port:
        with pytest.raises(InvalidInput, match="changed"):
            await outcome(port, asking(large))


# Turns, and being cancelled


async def test_answers_wait_for_their_turn() -> None:
    """One answer at a time is read, and its turn lasts as long as the caller's work on it."""
    order: list[str] = []
    async with (
        serving(answering(http())) as port,
        Client(key=KEY, base_url=f"http://127.0.0.1:{port}", answers=1) as client,
    ):

        async def one(name: str) -> None:
            async with client.call(asking(), timeout=20) as reply:
                assert isinstance(reply, Answer)
                order.append(f"{name} in")
                await asyncio.sleep(0.01)
                order.append(f"{name} out")

        await asyncio.gather(*(one(str(n)) for n in range(4)))
    assert [entry.split()[1] for entry in order] == ["in", "out"] * 4
    assert [entry.split()[0] for entry in order[::2]] == [entry.split()[0] for entry in order[1::2]]


async def test_the_turn_is_shared_and_not_under_the_deadline() -> None:
    """Clients share a semaphore; the wait for it costs an answer nothing."""
    turns = asyncio.Semaphore(1)
    async with serving(answering(http())) as port:
        url = f"http://127.0.0.1:{port}"
        async with Client(key=KEY, base_url=url, answers=turns) as client:
            await turns.acquire()
            asyncio.get_running_loop().call_later(0.6, turns.release)
            async with client.call(asking(), timeout=0.5) as reply:
                assert isinstance(reply, Answer)
                assert raw(reply) == RAW
                assert reply.seconds < 0.5
                assert turns.locked()
        assert not turns.locked()


async def test_those_that_wait_do_not_hold_up_sending() -> None:
    """More calls than may be sent at once are in flight together."""
    many = SENDING + 20
    arrived = asyncio.Semaphore(0)
    everybody = asyncio.Event()

    async def handle(reader: Reader, writer: Writer) -> None:
        await received(reader)
        arrived.release()
        await everybody.wait()
        writer.write(http(b"{}"))
        await writer.drain()

    async with (
        serving(handle) as port,
        Client(key=KEY, base_url=f"http://127.0.0.1:{port}", max_in_flight=many) as client,
    ):

        async def one() -> None:
            async with client.call(asking(), timeout=20) as reply:
                assert isinstance(reply, Answer)

        async with asyncio.TaskGroup() as group:
            for _ in range(many):
                group.create_task(one())
            for _ in range(many):
                await arrived.acquire()
            everybody.set()


@pytest.mark.parametrize("when", ["connecting", "waiting", "reading", "holding"])
async def test_cancelled(when: str) -> None:
    """A cancelled call ends at once and leaves its connection and its turn to others."""
    reached = asyncio.Event()
    first = True

    async def handle(reader: Reader, writer: Writer) -> None:
        nonlocal first
        await received(reader)
        slow, first = first, False
        if slow and when == "reading":
            writer.write(http(b"", length=1000))
            await writer.drain()
        if slow and when != "holding":
            asyncio.get_running_loop().call_later(0.02, reached.set)
            await reader.read()
        writer.write(http())
        await writer.drain()

    async with (
        serving(handle) as port,
        Client(key=KEY, base_url=f"http://127.0.0.1:{port}", max_in_flight=1, answers=1) as client,
    ):

        async def one() -> Answer | Failure:
            async with client.call(asking(), timeout=20) as reply:
                if when == "holding" and not reached.is_set():
                    reached.set()
                    await asyncio.Event().wait()
                return reply

        task = asyncio.create_task(one())
        if when != "connecting":
            await reached.wait()
        else:
            await asyncio.sleep(0)
            first = False
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        reply = await asyncio.wait_for(one(), 10)
        assert isinstance(reply, Answer)
        assert raw(reply) == RAW


# The key


async def test_the_key_is_nowhere(caplog: pytest.LogCaptureFixture, large: SentPicture) -> None:
    """Not in logs at any level, not in a repr, not in a failure, not in an answer that echoes it."""
    caplog.set_level(logging.DEBUG)
    odd = "oddly-shaped.key-0123456789"

    async def lost(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(1000)
        reset(writer)

    echo = http(json.dumps({"error": {"code": 403, "message": f"Consumer {odd} is suspended"}}).encode(), 403)
    shown = []
    for handler in (answering(echo), lost):
        async with (
            serving(handler) as port,
            Client(key=f" {odd}\n", base_url=f"http://127.0.0.1:{port}") as client,
        ):
            shown.append(repr(client))
            async with client.call(asking(large), timeout=20) as reply:
                shown += [repr(reply), repr(judge(reply))]
    assert "suspended" in "".join(shown)
    assert odd not in "".join(shown) + caplog.text


@pytest.mark.parametrize(
    ("key", "error"),
    [("", KeyMissing), (" \n", KeyMissing), ("ké", UsageError), ("a b", UsageError), ("a\nb", UsageError)],
)
async def test_no_key(key: str, error: type[Exception]) -> None:
    """What cannot be a key is said before anything is sent, without saying it."""
    with pytest.raises(error) as raised:
        Client(key=key)
    assert len(key) < 2 or key not in str(raised.value)


async def test_no_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password for the host in ~/.netrc is not ours to send."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\ndefault login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    seen: list[Request] = []
    async with serving(answering(http(), seen=seen)) as port:
        await whole(port)
    assert "authorization" not in seen[0].headers


# Proxies and certificates

PASSWORD = "pä:ss@word"
IN_URL = "p%C3%A4%3Ass%40word"
AUTHORIZATION = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()


class Proxy:
    """A small HTTP proxy: absolute URIs and CONNECT, with a password if wanted."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.requests: list[Request] = []
        self.refuses = refuses

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            request = Request(head[:-4], b"")
            self.requests.append(request)
            if self.refuses:
                writer.write(http(b"no", 407, 'Proxy-Authenticate: Basic realm="x"'))
                return
            if request.method == "CONNECT":
                host, _, port = request.target.rpartition(":")
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))
                return
            await self.forward(request, reader, writer)

    async def forward(self, request: Request, reader: Reader, writer: Writer) -> None:
        host, _, path = request.target.removeprefix("http://").partition("/")
        far_reader, far_writer = await asyncio.open_connection(*host.split(":"))
        length = int(request.headers["content-length"])
        far_writer.write(
            f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        far_writer.write(await reader.readexactly(length))
        head = await far_reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        writer.write(head + await far_reader.readexactly(size))
        far_writer.close()

    @staticmethod
    async def pump(source: Reader, target: Writer) -> None:
        while piece := await source.read(65536):
            target.write(piece)
            await target.drain()
        target.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain HTTP goes through the proxy of the environment, with its password on each request."""
    proxy = Proxy()
    async with serving(answering(http())) as port, serving(proxy) as by:
        monkeypatch.setenv(name, f"http://user:{IN_URL}@127.0.0.1:{by}")
        async with Client(key=KEY, base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(2):
                async with client.call(asking(), timeout=20) as reply:
                    assert isinstance(reply, Answer)
                    assert raw(reply) == RAW
    assert [request.headers["proxy-authorization"] for request in proxy.requests] == [AUTHORIZATION] * 2
    assert proxy.requests[0].target == f"http://127.0.0.1:{port}/v1beta/models/m:generateContent"


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
async def test_tunnel(
    name: str, tls: ssl.SSLContext, trusted: Path, large: SentPicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTPS is tunnelled: the proxy sees neither the key nor the request, the API not the proxy's password."""
    proxy, seen = Proxy(), list[Request]()
    async with serving(answering(http(), seen=seen), tls) as port, serving(proxy) as by:
        monkeypatch.setenv(name, f"user:{IN_URL}@127.0.0.1:{by}")
        assert raw(await whole(f"https://127.0.0.1:{port}", asking(large))) == RAW
    (connect,) = proxy.requests
    assert (connect.method, connect.target) == ("CONNECT", f"127.0.0.1:{port}")
    assert connect.headers["proxy-authorization"] == AUTHORIZATION
    assert KEY not in repr(connect.headers)
    assert "proxy-authorization" not in seen[0].headers


@pytest.mark.parametrize("exempt", ["127.0.0.1", "example.org, 127.0.0.1", "*"])
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
async def test_no_proxy(exempt: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY exempts."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv(name, exempt)
    async with serving(answering(http())) as port:
        assert raw(await whole(port)) == RAW


async def test_a_proxy_that_refuses(
    tls: ssl.SSLContext, trusted: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was sent; the password is in no text."""
    caplog.set_level(logging.DEBUG)
    async with serving(Proxy(refuses=True)) as by:
        monkeypatch.setenv("ALL_PROXY", f"http://user:{IN_URL}@127.0.0.1:{by}")
        failure = await broken("https://127.0.0.1:9")
        assert (failure.kind, failure.begun) == (Kind.NETWORK, False)
        assert "407" in failure.detail
        reply = await whole("http://127.0.0.1:9")
        assert judge(reply).verdict is Verdict.DENIED
    monkeypatch.setenv("ALL_PROXY", f"http://user:{IN_URL}@127.0.0.1:9")
    unreachable = await broken("https://127.0.0.1:9")
    told = repr([failure, reply, unreachable]) + caplog.text
    assert "word" not in told
    assert AUTHORIZATION.split()[1] not in told


@pytest.mark.parametrize("proxy", ["socks5://user:word@127.0.0.1:1", "http://", "::::", "ftp://x"])
async def test_a_proxy_that_cannot_be_used(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is sent, without the password."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(UsageError, match="proxy") as raised:
        Client(key=KEY)
    assert "word" not in str(raised.value)


async def test_certificates(
    tls: ssl.SSLContext, trusted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: SentPicture
) -> None:
    """SSL_CERT_FILE is trusted; without it the server is not, and nothing is sent; a wrong one is named."""
    async with serving(answering(http()), tls) as port:
        url = f"https://127.0.0.1:{port}"
        assert raw(await whole(url, asking(large))) == RAW
        monkeypatch.delenv("SSL_CERT_FILE")
        failure = await broken(url)
        assert (failure.kind, failure.begun) == (Kind.UNTRUSTED, False)
        assert "certificate" in failure.detail
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(UsageError, match=r"SSL_CERT_FILE=.*none\.pem"):
            Client(key=KEY, base_url=url)
