"""Calls over real sockets: what is sent, what comes, whose turn it is, and where the key goes."""

import asyncio
import base64
import gzip
import json
import logging
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.attempt import Verdict
from pipeline.errors import InvalidInput, KeyMissing, UsageError
from pipeline.gemini import transport
from pipeline.gemini.answer import Answer, Failure
from pipeline.gemini.client import SENDING, Client
from pipeline.gemini.description import describe
from pipeline.gemini.verdict import judge
from pipeline.picture import SentPicture
from tests.integration.gemini.wire import (
    BODY,
    KEY,
    RAW,
    Reader,
    Request,
    Writer,
    answering,
    asking,
    http,
    outcome,
    picture,
    raw,
    received,
    reset,
    serving,
    whole,
)


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


async def test_silent_connections_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call after the other goes over one connection, errors among them."""
    monkeypatch.setattr(transport, "SILENCE", 0.0)
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


_SECOND = http(b'{"modelVersion": "of the call before"}')


@pytest.mark.parametrize(
    ("surplus", "late"), [(_SECOND, 0.0), (_SECOND, 0.05), (b"}", 0.05), (b"", 0.0), (b"", 0.05)]
)
async def test_what_a_server_sends_too_much_is_never_the_next_answer(surplus: bytes, late: float) -> None:
    """A second answer, a byte, or the end of the connection, with the answer or shortly after."""
    requests = 0

    async def too_much(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        while True:
            await received(reader)
            requests += 1
            writer.write(http(b'{"modelVersion": "%d"}' % requests) + (b"" if late else surplus))
            await asyncio.sleep(late)
            if late:
                writer.write(surplus)
            if not surplus:
                writer.close()
                return

    told = []
    async with serving(too_much) as port, Client(key=KEY, base_url=f"http://127.0.0.1:{port}") as client:
        for pause in (0.0, 0.0, transport.SILENCE, 0.0, transport.SILENCE):
            await asyncio.sleep(pause)
            async with client.call(asking(), timeout=20) as reply:
                assert isinstance(reply, Answer)
                assert reply.reply
                told.append(reply.reply.model_version)
    assert told == ["1", "2", "3", "4", "5"]


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


@pytest.mark.parametrize("fields", [["X-Policy: " + "a" * 60_000], [f"X-{n}: a" for n in range(900)]])
async def test_long_and_many_headers(fields: list[str]) -> None:
    """What a proxy writes above an answer does not cost the picture."""
    async with serving(answering(http(BODY, 200, *fields))) as port:
        assert raw(await whole(port)) == RAW


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


async def test_the_wait_for_a_turn_is_not_under_the_deadline() -> None:
    """An answer that waits while another is stored loses no time by it."""
    async with (
        serving(answering(http())) as port,
        Client(key=KEY, base_url=f"http://127.0.0.1:{port}", answers=1) as client,
    ):

        async def second() -> Answer | Failure:
            async with client.call(asking(), timeout=0.5) as reply:
                return reply

        async with client.call(asking(), timeout=20):
            waiting = asyncio.create_task(second())
            await asyncio.sleep(0.6)
            assert not waiting.done()
        reply = await waiting
        assert isinstance(reply, Answer)
        assert raw(reply) == RAW
        assert reply.seconds < 0.5


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

    said = json.dumps({"error": {"code": 403, "message": f"Consumer {odd} is suspended"}}).encode()
    echo, escaped = http(said, 403), http(said.replace(b"oddly", b"\\u006fddly"), 403)
    shown = []
    for handler in (answering(echo), answering(escaped), lost):
        async with (
            serving(handler) as port,
            Client(key=f" {odd}\n", base_url=f"http://127.0.0.1:{port}") as client,
        ):
            shown.append(repr(client))
            async with client.call(asking(large), timeout=20) as reply:
                shown += [repr(reply), repr(judge(reply))]
    assert "suspended" in shown[1]
    assert "suspended" in shown[4]
    assert odd not in "".join(shown) + caplog.text


ODD = "oddly-shaped.key-0123456789"


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        ([f"it is {ODD}!"], "it is [hidden]!"),
        ([ODD[:12], ODD[12:] + " it is"], "[hidden] it is"),
        (["so ", ODD.upper(), " so"], "so [hidden] so"),
        (
            [base64.b64encode(ODD.encode()).decode() + " and " + quote(ODD + "/", safe="")],
            "[hidden] and [hidden]%2F",
        ),
        (["x" * (64 << 10) + ODD], "x" * (64 << 10)),
        (["x" * ((64 << 10) - 15) + ODD], "x" * ((64 << 10) - 15) + "[hidden]"),
        ([ODD[:7]], ODD[:7]),
    ],
    ids=[
        "plain",
        "in two parts",
        "capitals",
        "base64 and quoted",
        "behind the cut",
        "in the cut",
        "too short to tell",
    ],
)
async def test_the_key_is_in_no_text_of_the_model(large: SentPicture, texts: list[str], shown: str) -> None:
    """However an answer spells it: texts are kept in records, results and the report."""
    said = json.dumps({"candidates": [{"content": {"parts": [{"text": text} for text in texts]}}]}).encode()
    async with (
        serving(answering(http(said))) as port,
        Client(key=ODD, base_url=f"http://127.0.0.1:{port}") as client,
        client.call(asking(large), timeout=20) as reply,
    ):
        assert judge(reply).text == shown


async def test_the_key_is_not_in_what_the_api_says_of_a_model() -> None:
    """A gateway may echo it in a refusal that `retouch doctor` shows."""
    said = json.dumps({"error": {"code": 403, "message": f"Consumer {ODD} is suspended"}}).encode()
    async with (
        serving(answering(http(said, 403))) as port,
        Client(key=ODD, base_url=f"http://127.0.0.1:{port}") as client,
    ):
        described = await describe(client, "m", 20)
    assert described.refused is not None
    assert described.refused.detail == "Consumer [hidden] is suspended"


async def test_a_key_as_long_as_a_gateway_may_give(large: SentPicture) -> None:
    """A signed token has thousands of characters: whole or cut off, it is hidden."""
    token = "eyJ" + "aZ09-_." * 700
    texts = [f"{token} is it, and so is {token[:3000]}"]
    said = json.dumps({"candidates": [{"content": {"parts": [{"text": text} for text in texts]}}]}).encode()
    async with (
        serving(answering(http(said))) as port,
        Client(key=token, base_url=f"http://127.0.0.1:{port}") as client,
        client.call(asking(large), timeout=20) as reply,
    ):
        assert judge(reply).text == "[hidden] is it, and so is [hidden]"


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
