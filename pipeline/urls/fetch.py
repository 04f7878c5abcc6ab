"""Downloads pictures that the manifest names by URL into files, from public addresses only.

Every address is checked (:mod:`pipeline.urls.public`), and again after every redirect.

No key, no cookie and no netrc is ever sent; credentials in a URL are sent to that URL's host only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from tenacity.wait import wait_base

from pipeline.errors import InvalidInput, StoreError
from pipeline.store import is_bucket_url
from pipeline.store.bucket import Bucket, Missing, TooLarge, split_url
from pipeline.urls.addresses import Judge, check_url, shown
from pipeline.urls.public import PublicClients, is_temporary

#: Redirects to follow.
MAX_REDIRECTS = 5
#: Tries of one URL, while its faults are temporary.
TRIES = 4

_WAIT = wait_random_exponential(multiplier=0.5, max=8)
_PIECE = 1 << 20
_HEADERS = {"user-agent": "retouch", "accept": "image/*", "accept-encoding": "identity"}


class _Temporary(Exception):  # noqa: N818 - it says what may be tried again
    """A fault that may be temporary; the message is half a sentence."""


class BucketRefused(StoreError):  # noqa: N818 - it names what the bucket did
    """A bucket cannot be read; the message says why."""


class Fetcher:
    """The downloads of one process; use it as a context manager. Its clients are made when first needed.

    Args:
        resolver: in place of the system's.
        judge: in place of :func:`is_public`.
        wait: in place of the waits between tries.
    """

    def __init__(
        self,
        *,
        resolver: AbstractResolver | None = None,
        judge: Judge | None = None,
        wait: wait_base = _WAIT,
    ) -> None:
        self._clients = PublicClients(resolver=resolver, judge=judge)
        self._wait = wait
        self._buckets: dict[str, Bucket] = {}

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._clients.aclose()

    async def download(
        self, url: str, to: Path, *, allow_private: bool = False, max_bytes: int, seconds: float = 60.0
    ) -> None:
        """Download *url* into the file *to*, in at most *seconds*, including retries and waits.

        Raises:
            InvalidInput: it cannot be downloaded: ``bad_url``, ``unsupported``, ``private_address``, ``forbidden``,
                ``missing``, ``too_large`` or ``unreachable``.
            BucketRefused: it is in a bucket that cannot be read from here.
            StoreError: *to* cannot be written.
        """
        if is_bucket_url(url):
            await self._copy(url, to, max_bytes, seconds)
            return
        tries = AsyncRetrying(
            stop=stop_after_attempt(TRIES),
            wait=self._wait,
            retry=retry_if_exception_type(_Temporary),
            reraise=True,
        )
        try:
            async with asyncio.timeout(seconds):
                await tries(self._follow, url, to, allow_private, max_bytes)
        except TimeoutError:
            raise _unreachable(url, f"it took longer than {seconds:g} s") from None
        except _Temporary as fault:
            raise _unreachable(url, f"{fault}, {TRIES} times") from fault

    async def _copy(self, url: str, to: Path, max_bytes: int, seconds: float) -> None:
        """Download an object from a bucket; obstore retries by itself."""
        root, key = split_url(url)
        try:
            if root not in self._buckets:
                self._buckets[root] = Bucket(root)
            async with asyncio.timeout(seconds):
                await self._buckets[root].download(key, to, max_bytes)
        except Missing as error:
            raise InvalidInput("missing", str(error)) from error
        except TooLarge as error:
            raise InvalidInput("too_large", str(error)) from error
        except TimeoutError:
            raise BucketRefused(
                f"{url}: cannot be read: it took longer than {seconds:g} s; try again"
            ) from None
        except StoreError as error:
            raise BucketRefused(str(error)) from error

    async def _follow(self, url: str, to: Path, allow_private: bool, max_bytes: int) -> None:
        at = check_url(url, allow_private=allow_private)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._answer(at, allow_private) as response:
                if not response.has_redirect_location:
                    _check_status(response, at)
                    await _save(response, to, max_bytes)
                    return
                at = _redirected(at, response.headers["location"], allow_private)
        raise _unreachable(url, f"it was redirected more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _answer(self, url: httpx.URL, allow_private: bool) -> AsyncIterator[httpx.Response]:
        try:
            client = await self._clients.of(url, allow_private=allow_private)
            # The transport accepts user and password in the URL or as a header, and httpx would pass both.
            auth = (url.username, url.password) if url.userinfo else None
            bare = url.copy_with(userinfo=b"")
            async with client.stream("GET", bare, headers=_HEADERS, auth=auth) as response:
                yield response
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.DecodingError) as error:
            raise _unreachable(url, "its server's answer or address is malformed") from error
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _Temporary(_why(error)) from error


def _redirected(at: httpx.URL, location: str, allow_private: bool) -> httpx.URL:
    try:
        target = at.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise _unreachable(at, "it was redirected to something that is not a URL") from error
    check_url(target, allow_private=allow_private)
    if at.scheme == "https" and target.scheme == "http":
        raise _unreachable(at, f"it was redirected from https to plain http ({shown(target)})")
    return target


def _check_status(response: httpx.Response, url: httpx.URL) -> None:
    status = response.status_code
    if response.is_success:
        return
    if is_temporary(status):
        raise _Temporary(f"its server answered {status}")
    if status in (401, 403):
        raise InvalidInput(
            "forbidden", f"{shown(url)} may not be read ({status}): make it public, or sign its URL"
        )
    if status in (404, 410):
        raise InvalidInput("missing", f"{shown(url)} does not exist ({status}): correct the URL")
    raise _unreachable(url, f"its server answered {status}")


async def _save(response: httpx.Response, to: Path, max_bytes: int) -> None:
    """Write the body to *to*, a megabyte at a time, off the loop."""
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(response.url, max_bytes)
    size, piece = 0, bytearray()
    await asyncio.to_thread(_write, to, piece, "wb")  # an earlier try may have left part of it
    async for part in response.aiter_bytes():
        size += len(part)
        if size > max_bytes:
            raise _too_large(response.url, max_bytes)
        piece += part
        if len(piece) >= _PIECE:
            await asyncio.to_thread(_write, to, piece, "ab")
            piece = bytearray()
    await asyncio.to_thread(_write, to, piece, "ab")


def _write(to: Path, piece: bytearray, mode: str) -> None:
    try:
        with to.open(mode) as file:
            file.write(piece)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StoreError(
            f"The folder for temporary files, {to.parent}, refused a file ({why}): make room"
        ) from error


def _why(error: BaseException) -> str:
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | OSError):
        return "its server cannot be reached"
    if isinstance(error, httpx.TimeoutException):
        return "its server does not answer"
    return "its server closed the connection"


def _unreachable(url: str | httpx.URL, why: str) -> InvalidInput:
    return InvalidInput("unreachable", f"{shown(url)} cannot be fetched: {why}; try it in a browser")


def _too_large(url: httpx.URL, max_bytes: int) -> InvalidInput:
    return InvalidInput("too_large", f"{shown(url)} has over {max_bytes / 1e6:.0f} MB: make it smaller")
