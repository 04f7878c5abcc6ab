"""HTTP to URLs that come from others, to public addresses only unless private ones are allowed.

This machine may have access to what the author of such a URL has not (a cloud's metadata service, a database). So
every address is checked after the name was resolved, and again when the socket is opened (against DNS rebinding). If
the environment names a proxy, the proxy resolves names itself; they are then resolved and checked here first, and a
name that cannot be resolved here is refused.

No key, no cookie and no netrc is ever sent, and no redirect is followed.
"""

from __future__ import annotations

import socket
import ssl
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.gemini.transport import Transport, certificates, proxy_for
from pipeline.urls.addresses import Judge, is_public, private

_TIMEOUT = httpx.Timeout(connect=10, read=20, write=10, pool=None)

#: Statuses below 500 that may be gone at the next try: timed out, too early, too many requests.
_TEMPORARY = frozenset({408, 425, 429})


def is_temporary(status: int) -> bool:
    """Whether a request that was answered with this HTTP status is worth another try."""
    return status >= 500 or status in _TEMPORARY


class PublicClients:
    """The clients of one process, by proxy and by whether private addresses are allowed; made when first needed.

    Args:
        resolver: in place of the system's.
        judge: in place of :func:`is_public`.
    """

    def __init__(self, *, resolver: AbstractResolver | None = None, judge: Judge | None = None) -> None:
        self._resolver = resolver
        self._judge = judge or is_public
        self._clients: dict[tuple[str | None, bool], httpx.AsyncClient] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        while self._clients:
            await self._clients.popitem()[1].aclose()

    async def of(self, url: httpx.URL, *, allow_private: bool) -> httpx.AsyncClient:
        """The client for *url*, which checks the addresses that it connects to.

        Raises:
            InvalidInput: ``private_address``; requests raise it, too.
            OSError: the name cannot be resolved here, before a proxy is asked.
        """
        proxy = proxy_for(url)
        if proxy is not None and not allow_private:
            await self._guarded().resolve(url.host, url.port or 0)
        key = (str(proxy.url) if proxy else None, allow_private)
        if key not in self._clients:
            self._clients[key] = self._made(proxy, allow_private)
        return self._clients[key]

    def _made(self, proxy: httpx.Proxy | None, allow_private: bool) -> httpx.AsyncClient:
        context = certificates()
        guard = None if proxy or allow_private else self._judge
        resolver = self._resolver if guard is None else self._guarded()
        return httpx.AsyncClient(
            transport=Transport(
                verify=context, proxy=proxy, client=partial(_session, context, resolver, guard)
            ),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=_TIMEOUT,
            trust_env=False,
        )

    def _guarded(self) -> GuardedResolver:
        return GuardedResolver(self._resolver, self._judge)


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses those with an address that is not public."""

    def __init__(self, inner: AbstractResolver | None, judge: Judge) -> None:
        self._inner = inner or aiohttp.ThreadedResolver()
        self._judge = judge

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of *host*.

        Raises:
            InvalidInput: ``private_address``.
            OSError: *host* cannot be resolved.
        """
        found = await self._inner.resolve(host, port, family)
        if not all(self._judge(result["host"]) for result in found):
            raise private(host)
        return found

    async def close(self) -> None:
        """Nothing: the inner resolver belongs to whoever made it, and the default one holds nothing."""


def _session(
    context: ssl.SSLContext, resolver: AbstractResolver | None, guard: Judge | None
) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=64,
        limit_per_host=16,
        ssl=context,
        resolver=resolver,
        socket_factory=partial(_open_socket, guard) if guard else None,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
    )


def _open_socket(guard: Judge, address: tuple[Any, ...]) -> socket.socket:
    """A socket for *address*, which is checked again here, where it can no longer change."""
    family, kind, protocol, _, target = address
    if not guard(target[0]):
        raise private(target[0])
    return socket.socket(family, kind, protocol)
