"""Request bodies in pieces: pictures are streamed from their files to the socket, as base64 or unchanged."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import httpx
import pybase64

from pipeline.errors import InvalidInput
from pipeline.gemini.request import ImageRequest, frame

if TYPE_CHECKING:
    from pipeline.picture import SentPicture

#: Bytes of a picture that a thread reads and encodes at a time: a multiple of three, so that the pieces join.
#: More would cost memory for every call being sent, less would cost switches to threads; found with the benchmarks.
READ = 192 << 10
#: Bytes handed to the socket at a time: asyncio copies what does not fit, and its TLS never frees that memory.
SEND = 64 << 10


class Upload(httpx.AsyncByteStream):
    """The body of *request*, for one call.

    Only this object knows how far a call got, which decides what may have been paid for. The transport's exceptions
    do not tell: it reports a connection that was lost after the body as a failure to connect.

    Attributes:
        length: exact length of the body in bytes.
        begun: the first piece was requested, so there is a connection, and this is a call.
        sent: the last piece is being handed over; from here on the call may have been paid for.
        fault: why the body could not be completed.
    """

    def __init__(
        self,
        request: ImageRequest,
        reader: Executor,
        on_begun: Callable[[], None],
        on_sent: Callable[[], None],
    ) -> None:
        self._heads, self._tail = frame(request)
        self._pictures = request.inline
        self._reader = reader
        self._on_begun = on_begun
        self._on_sent = on_sent
        encoded = (4 * ((picture.bytes + 2) // 3) for picture in self._pictures)
        self.length = sum(map(len, self._heads)) + sum(encoded) + len(self._tail)
        self.begun = False
        self.sent = False
        self.fault: InvalidInput | None = None

    async def __aiter__(self) -> AsyncIterator[bytes | memoryview]:  # type: ignore[override]
        self.begun = True
        self._on_begun()
        try:
            for head, picture in zip(self._heads, self._pictures, strict=True):
                yield head
                async for piece in self._encoded(picture):
                    yield piece
        except InvalidInput as fault:
            self.fault = fault
            raise
        self.sent = True
        yield self._tail
        self._on_sent()

    async def _encoded(self, picture: SentPicture) -> AsyncIterator[memoryview]:
        loop = asyncio.get_running_loop()
        for start in range(0, picture.bytes, READ):
            text = await loop.run_in_executor(self._reader, _base64, picture, start)
            view = memoryview(text)
            for at in range(0, len(text), SEND):
                yield view[at : at + SEND]


class Stretch(httpx.AsyncByteStream):
    """The bytes of *picture* from *start* to *end*, unchanged: the body of one request of an upload.

    Attributes:
        fault: why the body could not be completed.
    """

    def __init__(self, picture: SentPicture, start: int, end: int, reader: Executor) -> None:
        self._picture = picture
        self._start, self._end = start, end
        self._reader = reader
        self.fault: InvalidInput | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        try:
            for start in range(self._start, self._end, READ):
                piece = await loop.run_in_executor(self._reader, _read, self._picture, start, self._end)
                for at in range(0, len(piece), SEND):
                    yield piece[at : at + SEND]
        except InvalidInput as fault:
            self.fault = fault
            raise


def check(request: ImageRequest) -> None:
    """Make sure that the file of every inline picture exists and still has the size that it had when prepared.

    Raises:
        InvalidInput: one does not; nothing was sent.
    """
    for picture in request.inline:
        try:
            size = picture.path.stat().st_size
        except OSError as error:
            raise _changed(picture, error.strerror or "cannot be read") from None
        if size != picture.bytes:
            raise _changed(picture, f"it has {size} bytes now")


def _base64(picture: SentPicture, start: int) -> bytes:
    return pybase64.b64encode(_read(picture, start, picture.bytes))


def _read(picture: SentPicture, start: int, end: int) -> bytes:
    """Up to :data:`READ` bytes of *picture*, and none beyond *end*.

    The file is opened every time, so that a thousand calls that are being sent hold no descriptors while they wait
    for their sockets, and a cancelled call leaves none open.
    """
    wanted = min(READ, end - start)
    try:
        file = os.open(picture.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if os.fstat(file).st_size != picture.bytes:
                raise _changed(picture, "its size changed while it was being sent")
            piece = os.pread(file, wanted, start)
        finally:
            os.close(file)
    except OSError as error:
        raise _changed(picture, error.strerror or "cannot be read") from None
    if len(piece) != wanted:
        raise _changed(picture, "its size changed while it was being sent")
    return piece


def _changed(picture: SentPicture, what: str) -> InvalidInput:
    return InvalidInput("changed", f"{picture.path} has changed since it was checked: {what}")
