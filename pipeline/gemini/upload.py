"""A request's body in pieces: pictures go from their file through base64 to the socket, never whole."""

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

#: Bytes of a picture read and encoded in one visit to a thread: a multiple of three, so that the pieces join.
#: Larger costs memory for each call that is being sent, smaller costs visits; measured in benchmarks.
READ = 192 << 10
#: Bytes handed to the socket at once: asyncio copies what does not fit, and its TLS keeps room for it for good.
SEND = 64 << 10


class Upload(httpx.AsyncByteStream):
    """The body of *request*, for one call.

    Only this object knows how far a call has come: the transport's exceptions do not tell (it reports a
    connection that was lost after the body as a failure to connect), and money hangs on it.

    Attributes:
        length: of the body, exact.
        begun: the first piece was asked for: there is a connection, and this is a call.
        sent: the last piece is about to be handed over: from here on the call may be paid for.
        fault: why the body could not go on.
    """

    def __init__(
        self,
        request: ImageRequest,
        reader: Executor,
        on_begun: Callable[[], None],
        on_sent: Callable[[], None],
    ) -> None:
        self._heads, self._tail = frame(request)
        self._pictures = request.pictures
        self._reader = reader
        self._on_begun = on_begun
        self._on_sent = on_sent
        encoded = (4 * ((picture.bytes + 2) // 3) for picture in request.pictures)
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
            text = await loop.run_in_executor(self._reader, _read, picture, start)
            view = memoryview(text)
            for at in range(0, len(text), SEND):
                yield view[at : at + SEND]


def check(request: ImageRequest) -> None:
    """See that every picture's file is there and has the size it had when it was prepared.

    Raises:
        InvalidInput: it does not; nothing was sent.
    """
    for picture in request.pictures:
        try:
            size = picture.path.stat().st_size
        except OSError as error:
            raise _changed(picture, error.strerror or "cannot be read") from None
        if size != picture.bytes:
            raise _changed(picture, f"it has {size} bytes now")


def _read(picture: SentPicture, start: int) -> bytes:
    """Base64 of up to :data:`READ` bytes of *picture*.

    The file is opened anew each time: a thousand calls that are being sent hold no descriptors while they wait
    for their sockets, and a cancelled call leaves none behind.
    """
    wanted = min(READ, picture.bytes - start)
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
    return pybase64.b64encode(piece)


def _changed(picture: SentPicture, what: str) -> InvalidInput:
    return InvalidInput("changed", f"{picture.path} is not what was checked before: {what}")
