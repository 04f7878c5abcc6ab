"""Calls through real proxies, and to servers with certificates of their own."""

import asyncio
import base64
import logging
import ssl
from pathlib import Path

import pytest
import trustme

from pipeline.attempt import Verdict
from pipeline.errors import UsageError
from pipeline.gemini.answer import Answer, FailureKind
from pipeline.gemini.client import Client
from pipeline.gemini.verdict import judge
from pipeline.picture import SentPicture
from tests.integration.gemini.wire import (
    KEY,
    RAW,
    Reader,
    Request,
    Writer,
    answering,
    asking,
    broken,
    http,
    raw,
    serving,
    whole,
)

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
                try:
                    await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))
                finally:
                    far_writer.close()
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
        assert (failure.kind, failure.begun) == (FailureKind.NETWORK, False)
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
        assert (failure.kind, failure.begun) == (FailureKind.UNTRUSTED, False)
        assert "certificate" in failure.detail
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(UsageError, match=r"SSL_CERT_FILE=.*none\.pem"):
            Client(key=KEY, base_url=url)
