"""Calls over HTTP, sent and read in pieces under deadlines, and honest about what may have been paid for."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import httpx

from pipeline.errors import KeyMissing, UsageError
from pipeline.gemini.answer import Answer, Failure, FailureKind
from pipeline.gemini.exchange import Deadlines, Exchange, answer_of, close
from pipeline.gemini.inline import INLINE_BYTES, by_file
from pipeline.gemini.request import ImageRequest
from pipeline.gemini.transport import basic_auth, proxy_credentials, room_for, transport
from pipeline.gemini.transport_errors import TRANSPORT_ERRORS, error_text, failure_kind
from pipeline.gemini.upload import Stretch, Upload, check

if TYPE_CHECKING:
    from pipeline.gemini.files import Files, RowFiles
    from pipeline.picture import SentPicture

BASE_URL = "https://generativelanguage.googleapis.com"
#: Answers that are read, verified and stored at a time in one process; the others stay in their sockets.
ANSWERS = 10
#: Requests that are sent at a time: each takes half a megabyte of memory, and far fewer fill the line. A request
#: waits for its turn before it connects, without a deadline.
SENDING = 32
#: Seconds; see :class:`pipeline.gemini.exchange.Deadlines`.
CONNECT, IDLE = 10.0, 60.0
#: The server rejects shorter deadlines (gemini-api.md 0.8), so only we enforce those.
_SERVER_SHORTEST = 10.0
_READERS = 4


class Client:
    """Calls ``generateContent``; one for each process and API root, used as an asynchronous context manager.

    Attributes:
        last_piece: when the API last accepted a piece of an upload, by the monotonic clock; 0 if it never did.

    Args:
        key: the API key; sent in a header, and never part of any text that leaves this class.
        base_url: the API's root, with or without a path and a final slash.
        max_in_flight: calls that the limit of open files must allow for; callers enforce it.
        answers: how many answers may be read at a time.
        connect: seconds to get a connection.
        idle: seconds between two pieces of an answer that has begun.
        inline_bytes: bytes of pictures that one request may contain.

    Raises:
        KeyMissing: *key* is empty.
        UsageError: *key*, *base_url* or the environment's proxy or certificates cannot be used.
    """

    def __init__(
        self,
        *,
        key: str,
        base_url: str = BASE_URL,
        max_in_flight: int = 64,
        answers: int = ANSWERS,
        connect: float = CONNECT,
        idle: float = IDLE,
        inline_bytes: int = INLINE_BYTES,
    ) -> None:
        self.last_piece = 0.0
        self._inline_bytes = inline_bytes
        self._key = checked_key(key)
        self._connect, self._idle = connect, idle
        self._root, self._headers = root_of(base_url)
        self._headers |= {
            "x-goog-api-key": self._key,
            "content-type": "application/json",
            # Pictures do not compress any further; trying to would cost CPU on both sides.
            "accept-encoding": "identity",
            "user-agent": "retouch",
            **proxy_credentials(self._root),
        }
        self._answers = asyncio.Semaphore(answers)
        room_for(max_in_flight)
        self._http = httpx.AsyncClient(
            transport=transport(self._root),
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # noqa: S113 - Exchange keeps the deadlines; httpx's default of 5 s is no call's
        )
        self._sending = asyncio.Semaphore(SENDING)
        self._reader = ThreadPoolExecutor(_READERS, thread_name_prefix="retouch-read")
        self._files: Files | None = None

    def __repr__(self) -> str:
        return f"<Client {self._root!r}>"

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Delete the uploaded files, as far as that is quickly done, and close every connection."""
        if self._files is not None:
            await self._files.aclose()
        await self._http.aclose()
        self._reader.shutdown(wait=False)

    def files_of_row(self, pictures: Sequence[SentPicture]) -> RowFiles | None:
        """The files of those *pictures* of a row that are too big for its requests; ``None`` if none is."""
        chosen = by_file([picture.bytes for picture in pictures], self._inline_bytes)
        if not chosen:
            return None
        if self._files is None:
            # Most jobs upload nothing.
            from pipeline.gemini.fileapi import FileApi  # noqa: PLC0415
            from pipeline.gemini.files import Files  # noqa: PLC0415

            self._files = Files(FileApi(self.send, self._reader, self._key))
        return self._files.of_row([pictures[position] for position in chosen])

    @asynccontextmanager
    async def call(
        self,
        request: ImageRequest,
        *,
        timeout: float,  # noqa: ASYNC109 - it covers parts of the context, not all of it
        on_begun: Callable[[], None] | None = None,
    ) -> AsyncIterator[Answer | Failure]:
        """Make one call; verify and store its result inside the ``with`` block.

        An answer that has begun waits for its turn to be read, and its turn lasts until the block ends.

        Args:
            request: what to ask.
            timeout: seconds for sending, waiting and reading together, without the wait for the turn.
            on_begun: called when the first piece of the body is handed over.

        Raises:
            InvalidInput: an input changed since it was prepared; the request was never sent completely.
        """
        check(request)
        deadlines = Deadlines(total=timeout, connect=self._connect, idle=self._idle)
        async with _Turn(self._sending) as turn:
            exchange = Exchange(
                request, self._reader, deadlines=deadlines, key=self._key, on_begun=on_begun, on_sent=turn.end
            )
            response = await exchange.start(self._http, self._request(request, exchange.upload, timeout))
        if isinstance(response, Failure):
            yield response
            return
        try:
            async with self._answers:
                yield await exchange.read(response)
        finally:
            await close(response)

    async def get(self, path: str, *, timeout: float) -> httpx.Response | Failure:  # noqa: ASYNC109 - covers all of it
        """The API's response for *path*, such as ``/v1beta/models/<id>``, read completely; costs nothing."""
        return await self.send("GET", path, timeout=timeout)

    def answer(self, response: httpx.Response) -> Answer:
        """The answer in *response* of :meth:`get` or :meth:`send`, without the key."""
        return answer_of(response, self._key)

    async def send(
        self,
        method: str,
        path: str | httpx.URL,
        *,
        timeout: float,  # noqa: ASYNC109 - it begins when it is the request's turn to be sent
        headers: Mapping[str, str] = {},
        body: bytes | Stretch | None = None,
    ) -> httpx.Response | Failure:
        """Make a request that costs nothing; the response, read completely.

        Args:
            method: the HTTP method.
            path: below the API's root; or a URL, of which only path and query are used, because the key and the data
                must go to the root that the user has chosen and nowhere else.
            timeout: seconds for the whole request.
            headers: in addition to those of every request.
            body: what to send.

        Raises:
            InvalidInput: a picture changed while it was being sent.
        """
        url = self._at(path) if isinstance(path, str) else self._root.copy_with(raw_path=path.raw_path)
        request = httpx.Request(method, url, headers={**self._headers, **headers}, content=body)
        try:
            async with (
                self._sending if isinstance(body, Stretch) else nullcontext(),
                asyncio.timeout(timeout),
            ):
                response = await self._http.send(request)
        except TimeoutError:
            kind = FailureKind.TOO_SHORT if timeout <= self._connect else FailureKind.TIMEOUT
            return Failure(kind=kind, detail=f"no answer within {timeout:g} s")
        except TRANSPORT_ERRORS as error:
            if isinstance(body, Stretch) and body.fault is not None:
                raise body.fault from None
            return Failure(kind=failure_kind(error), detail=error_text(error, self._key))
        if isinstance(body, Stretch) and response.is_success:
            self.last_piece = time.monotonic()
        return response

    def _at(self, path: str) -> httpx.URL:
        return self._root.copy_with(path=self._root.path.rstrip("/") + path)

    def _request(self, request: ImageRequest, upload: Upload, timeout: float) -> httpx.Request:
        headers = {**self._headers, "content-length": str(upload.length)}
        if timeout >= _SERVER_SHORTEST:
            headers["x-server-timeout"] = str(math.ceil(timeout))
        return httpx.Request("POST", self._at(request.path), headers=headers, stream=upload)


class _Turn:
    """A place in *semaphore* that may be given back before the ``async with`` ends."""

    def __init__(self, semaphore: asyncio.Semaphore) -> None:
        self._semaphore = semaphore
        self._held = False

    async def __aenter__(self) -> _Turn:
        await self._semaphore.acquire()
        self._held = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Give the place back."""
        if self._held:
            self._held = False
            self._semaphore.release()


def checked_key(key: str) -> str:
    """*key* without white space around it, if it is well-formed.

    Raises:
        KeyMissing: it is empty.
        UsageError: it cannot be put into a header.
    """
    key = key.strip()
    if not key:
        raise KeyMissing("there is no API key: set GEMINI_API_KEY (https://aistudio.google.com/apikey)")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError("the API key contains a character that no key has; copy it again")
    return key


def root_of(base_url: str) -> tuple[httpx.URL, dict[str, str]]:
    """The API's root without user and password, and the header that contains those instead.

    Raises:
        UsageError: it is not an HTTP URL.
    """
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(
            "the API's base URL must be http(s)://host[:port][/path]; see GOOGLE_GEMINI_BASE_URL"
        )
    headers = {"authorization": basic_auth(url)} if url.userinfo else {}
    return url.copy_with(userinfo=b"", query=None, fragment=None), headers
