"""The HTTP transport: httpx over aiohttp, with the proxies, certificates and sockets that this program needs.

Why aiohttp under httpx: with bodies of megabytes it takes a third of the CPU of httpx's own transport and a fraction
of its memory. Measured with 64 calls in flight: 80 calls a second and 59 MB, against 28 and 1.8 GB.
"""

from __future__ import annotations

import asyncio.constants
import asyncio.sslproto
import base64
import os
import resource
import select
import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
import certifi
import httpx
from httpx_aiohttp import AiohttpTransport

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
    from typing_extensions import Buffer

#: Seconds an idle connection is kept; Google keeps them longer, so that we are the ones who close.
KEEPALIVE = 30.0
#: Seconds for which a connection must have been silent before it carries another call. By then it has shown what a
#: faulty server or proxy sends after an answer: the answer once more, or more bytes than were announced.
SILENCE = 0.2
#: Bytes of one header of an answer, and how many headers there may be.
LONGEST_FIELD, MOST_FIELDS = 64 << 10, 1000
#: Bytes of an answer that are read while it waits for its turn: the first read after a request, which asyncio
#: would make 256 KiB. A thousand answers may be waiting; the rest of each stays in its socket.
FIRST_READ = 16 << 10
#: Bytes of an answer in one read and one piece, once it has its turn.
READ = 256 << 10

_TLS_BUFFER = 32 << 10
#: File descriptors besides the connections: inputs, store, Redis, logs. The usual soft limit of 1,024 is too low
#: for a thousand connections.
_OTHER_FILES = 512

_KEEPALIVE_OPTIONS = (
    # A connection is silent for minutes while a picture is made; NAT gateways drop such connections.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class _Socket(socket.socket):
    """A socket whose first read after a write is small: aiohttp then stops reading until somebody wants more."""

    _first = True

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        self._first = True
        return super().send(data, flags)

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        size, self._first = min(size, FIRST_READ if self._first else READ), False
        return super().recv(size, flags)

    def recv_into(self, buffer: Buffer, size: int = 0, flags: int = 0, /) -> int:
        size, self._first = min(size or READ, FIRST_READ if self._first else READ), False
        return super().recv_into(buffer, min(size, memoryview(buffer).nbytes), flags)


class _Connector(aiohttp.TCPConnector):
    """Keeps connections, but lends none on which anything has come since its last answer, or may still come.

    It would be read as the answer to the next call: a picture under the wrong row.
    """

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        idle = self._conns.get(key)  # the longest idle first
        while idle:
            protocol, since = idle[0]
            if monotonic() - since < SILENCE:
                return None
            if not protocol.should_close and _is_silent(protocol.transport):
                break
            idle.popleft()
            protocol.close()
        return await super()._get(key, traces)


def _is_silent(transport: asyncio.Transport | None) -> bool:
    """Whether neither bytes nor an end wait to be read."""
    if transport is None:
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket"), select.POLLIN)
    return not poll.poll(0)


class Transport(AiohttpTransport):
    """httpx's transport over aiohttp, reading in larger pieces."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; the answer's body is read in pieces of :data:`READ`."""
        response = await super().handle_async_request(request)
        response.stream.CHUNK_SIZE = READ  # type: ignore[union-attr]
        return response


def transport(url: httpx.URL) -> Transport:
    """A transport to *url*, through the environment's proxy; its callers limit the connections.

    Raises:
        UsageError: the proxy or the certificates that the environment names cannot be used.
    """
    _thrifty_tls()
    context = certificates() if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def session() -> aiohttp.ClientSession:
        connector = _Connector(limit=0, ssl=context, keepalive_timeout=KEEPALIVE, socket_factory=_open_socket)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,  # it would read ~/.netrc; the proxy is passed below
            # The answer is paid for, so it must not be lost over headers that a proxy adds (cookies, policies).
            max_field_size=LONGEST_FIELD,
            max_headers=MOST_FIELDS,
            read_bufsize=1024,  # stop reading after the first read; a reader raises it
        )

    return Transport(verify=context, proxy=proxy_for(url), client=session)


def proxy_credentials(url: httpx.URL) -> dict[str, str]:
    """Headers that a request to *url* needs for its proxy, which reads them there if the request is plain HTTP."""
    proxy = proxy_for(url)
    return dict(proxy.headers) if proxy and url.scheme == "http" else {}


def _thrifty_tls() -> None:
    """Let asyncio's TLS use 32 KiB per connection instead of half a megabyte.

    It allocates 256 KiB for each connection and reads 256 KiB ahead of a reader that has paused, without an option to
    change either. A thousand calls waiting for their answers took 1,036 MB that way, and take 290 MB with this.
    """
    asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER
    asyncio.constants.FLOW_CONTROL_HIGH_WATER_SSL_READ = _TLS_BUFFER // 2 >> 10  # type: ignore[misc]  # KiB


def room_for(connections: int) -> None:
    """Raise the limit of open files, if permitted, so that *connections* and all other files fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _open_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = address[:3]
    opened = _Socket(family, kind, protocol)
    for option in _KEEPALIVE_OPTIONS:
        opened.setsockopt(*option)
    return opened


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """The environment's proxy for *url* (upper and lower case, ``ALL_PROXY``, ``NO_PROXY``).

    Raises:
        UsageError: it cannot be used.
    """
    named = getproxies_environment()
    address = named.get(url.scheme) or named.get("all")
    if not address or proxy_bypass(url.netloc.decode("ascii")):
        return None
    try:
        proxy = httpx.URL(address if "://" in address else f"http://{address}")
    except httpx.InvalidURL:
        proxy = httpx.URL("")
    if proxy.scheme not in ("http", "https") or not proxy.host:
        shown = f"{proxy.scheme}://{proxy.host}" if proxy.host else "its value"
        raise UsageError(
            f"the environment's proxy ({shown}) is not http(s)://host:port, the only kind that retouch supports"
        )
    # As a header, because aiohttp only supports Latin-1 passwords.
    headers = {"Proxy-Authorization": basic_auth(proxy)} if proxy.userinfo else {}
    return httpx.Proxy(proxy.copy_with(userinfo=b""), headers=headers)


def basic_auth(url: httpx.URL) -> str:
    """The value of a header that carries the user and password of *url*."""
    pair = f"{url.username}:{url.password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def certificates() -> ssl.SSLContext:
    """The trusted certificates: ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` instead of certifi's list, as is usual.

    Raises:
        UsageError: what they name cannot be read.
    """
    file, folder = (os.environ.get(name) or None for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    if not file and not folder:
        return ssl.create_default_context(cafile=certifi.where())
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except (OSError, ssl.SSLError) as error:
        named = " and ".join(f"{n}={v}" for n, v in (("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folder)) if v)
        raise UsageError(f"{named} does not contain valid certificates ({error}); fix or unset it") from None
