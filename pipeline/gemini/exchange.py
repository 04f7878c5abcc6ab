"""One request and its answer on the wire: its deadlines, and what is known when it breaks off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import aclosing, suppress
from typing import cast

import httpx
import msgspec

from pipeline.gemini.answer import Answer, Failure, FailureKind
from pipeline.gemini.conceal import concealed
from pipeline.gemini.request import ImageRequest
from pipeline.gemini.scan import Scanner
from pipeline.gemini.transport_errors import TRANSPORT_ERRORS, error_text, failure_kind
from pipeline.gemini.upload import Upload
from pipeline.gemini.wire import parse


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that the steps of a call may take; *total* limits all of them together.

    Attributes:
        total: for sending, waiting and reading together.
        connect: for getting a connection, including name resolution, proxy and TLS.
        idle: between two pieces of an answer that has begun.
    """

    total: float
    connect: float
    idle: float


class Exchange:
    """One request and its answer, with one deadline for the whole and shorter ones for the steps.

    Args:
        request: what to ask.
        reader: threads that read pictures.
        deadlines: of the whole and of its steps.
        key: hidden in whatever comes back.
        on_begun: called when the first piece of the body is handed over.
        on_sent: called when the last piece is with the socket.
    """

    def __init__(
        self,
        request: ImageRequest,
        reader: Executor,
        *,
        deadlines: Deadlines,
        key: str,
        on_begun: Callable[[], None] | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> None:
        self.upload = Upload(request, reader, self._begun, on_sent or _nothing)
        self._deadlines = deadlines
        self._key = key
        self._on_begun = on_begun
        self._connecting: asyncio.Timeout | None = None
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._waited = 0.0  # seconds from the start to the answer's headers
        self._came = 0.0  # when they came, since the epoch

    async def start(self, http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response | Failure:
        """Send *request* and wait for the answer's headers.

        Raises:
            InvalidInput: an input changed while it was being sent; the last piece was not sent.
        """
        try:
            async with asyncio.timeout(
                min(self._deadlines.connect, self._deadlines.total)
            ) as self._connecting:
                response = await http.send(request, stream=True)
        except TimeoutError:
            return self._late()
        except TRANSPORT_ERRORS as error:
            if self.upload.fault is not None:
                raise self.upload.fault from None
            return self._failure(failure_kind(error), error_text(error, self._key))
        finally:
            self._connecting = None
        self._waited, self._came = self._clock() - self._started, time.time()
        return response

    async def read(self, response: httpx.Response) -> Answer | Failure:
        """Read the answer that begins with *response*."""
        scanner, begun = Scanner(), self._clock()
        end = begun + self._deadlines.total - self._waited
        broken: Failure | None = None
        try:
            await self._body(response, scanner, end)
        except httpx.DecodingError:  # not what its content-encoding says, so it is not JSON
            scanner = Scanner()
        except TimeoutError:
            total, idle = self._deadlines.total, self._deadlines.idle
            over = f"did not end within {total:g}" if self._clock() >= end else f"stood still for {idle:g}"
            broken = self._failure(FailureKind.TIMEOUT, f"the answer {over} s")
        except TRANSPORT_ERRORS as error:
            broken = self._failure(
                FailureKind.NETWORK, f"the answer was cut off: {error_text(error, self._key)}"
            )
        if broken is not None and response.is_success:
            # Once an answer begins, the request has arrived, whatever our side had handed over.
            return msgspec.structs.replace(broken, sent=True, status=response.status_code)
        scanner.finish()
        return self._answer(response, scanner, seconds=self._waited + self._clock() - begun)

    async def _body(self, response: httpx.Response, scanner: Scanner, end: float) -> None:
        idle = self._deadlines.idle
        async with (
            asyncio.timeout_at(min(end, self._clock() + idle)) as deadline,
            aclosing(cast("AsyncGenerator[bytes]", response.aiter_bytes())) as body,
        ):
            async for piece in body:
                scanner.feed(piece)
                if scanner.full:
                    return
                deadline.reschedule(min(end, self._clock() + idle))

    def _answer(self, response: httpx.Response, scanner: Scanner, seconds: float) -> Answer:
        reply = parse(scanner.skeleton)
        announced = "content-length" in response.headers or "transfer-encoding" in response.headers
        return Answer(
            status=response.status_code,
            reply=concealed(reply, self._key) if reply else None,
            html=scanner.skeleton.lstrip()[:1] == b"<",
            unfinished=not (announced or scanner.whole or scanner.full),
            too_big=scanner.full,
            blobs=scanner.blobs,
            retry_after=response.headers.get("retry-after"),
            at=self._came,
            seconds=seconds,
        )

    def _begun(self) -> None:
        """There is a connection: from here on the deadline of the whole applies."""
        if self._connecting is not None and not self._connecting.expired():
            self._connecting.reschedule(self._started + self._deadlines.total)
        if self._on_begun is not None:
            self._on_begun()

    def _late(self) -> Failure:
        total = self._deadlines.total
        if not self.upload.sent and total <= self._deadlines.connect:
            return self._failure(FailureKind.TOO_SHORT, f"not sent within {total:g} s")
        awaited = f"answer within {total:g} s" if self.upload.begun else "connection in time"
        return self._failure(FailureKind.TIMEOUT, f"no {awaited}")

    def _failure(self, kind: FailureKind, detail: str) -> Failure:
        seconds = self._clock() - self._started
        return Failure(
            kind=kind, begun=self.upload.begun, sent=self.upload.sent, detail=detail, seconds=seconds
        )


def answer_of(response: httpx.Response, key: str) -> Answer:
    """The answer in *response*, which is small and was read whole; *key* is hidden."""
    reply = parse(response.content)
    return Answer(
        status=response.status_code,
        reply=concealed(reply, key) if reply else None,
        html=response.content.lstrip()[:1] == b"<",
        retry_after=response.headers.get("retry-after"),
        at=time.time(),
    )


def _nothing() -> None:
    pass


async def close(response: httpx.Response) -> None:
    """Give the connection back, or close it if the answer was not read completely."""
    with suppress(*TRANSPORT_ERRORS):
        await response.aclose()
