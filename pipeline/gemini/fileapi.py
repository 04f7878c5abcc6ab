"""The Files API, one file at a time: resumable uploads, status, deletion (gemini-api.md 6)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, Protocol

import httpx
import msgspec
from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_exponential

from pipeline.attempt import Verdict
from pipeline.gemini.answer import Failure
from pipeline.gemini.exchange import answer_of
from pipeline.gemini.judgement import Judgement, Scope
from pipeline.gemini.redact import redacted
from pipeline.gemini.upload import Stretch
from pipeline.gemini.verdict import file_gone, judge
from pipeline.gemini.wire import loads, read
from pipeline.models import fault_of_id
from pipeline.picture import SentPicture

#: Bytes of a picture in one request, as in Google's SDK; the API requires a multiple of 256 KiB.
CHUNK = 8 << 20
#: Seconds that the API may take to process a complete file; pictures are usually ready at once.
PROCESSING = 120.0

#: Seconds for a request without a picture.
_SHORT = 30.0
#: Seconds that a file exists if the API does not say.
_LIFE = 48 * 3600.0


class Send(Protocol):
    """:meth:`pipeline.gemini.client.Client.send`."""

    async def __call__(
        self,
        method: str,
        path: str | httpx.URL,
        *,
        timeout: float,  # noqa: ASYNC109 - see there
        headers: Mapping[str, str] = ...,
        body: bytes | Stretch | None = ...,
    ) -> httpx.Response | Failure: ...


class FileError(msgspec.Struct, frozen=True, kw_only=True):
    """Why the API cannot use a file."""

    message: str = ""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file as the API describes it; *state* is ``PROCESSING``, ``ACTIVE`` or ``FAILED``."""

    name: str = ""
    uri: str = ""
    state: str = ""
    create_time: str = ""
    expiration_time: str = ""
    error: FileError | None = None

    @property
    def life(self) -> float:
        """Seconds from its creation to its expiry, by the API's clock alone, since ours may differ."""
        try:
            ends, begins = map(datetime.fromisoformat, (self.expiration_time, self.create_time))
            return max(0.0, (ends - begins).total_seconds())
        except (ValueError, TypeError):
            return _LIFE


class Refused(Exception):  # noqa: N818 - it is an event, not an error
    """The API did not do what it was asked; *judgement* says why, and what else it affects."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.verdict)
        self.judgement = judgement


@dataclass
class Session:
    """The upload of one picture, over as many tries as it takes; *where*: the URL for its bytes, once known."""

    where: httpx.URL | None = None


class FileApi:
    """Requests of the Files API. They cost nothing, so none counts as a try of its row.

    Args:
        send: makes a request.
        reader: threads that read pictures.
        key: hidden in whatever comes back.
        processing: in place of :data:`PROCESSING`.
    """

    def __init__(self, send: Send, reader: Executor, key: str, *, processing: float = PROCESSING) -> None:
        self._send = send
        self._reader = reader
        self._key = key
        self._processing = processing

    async def upload(
        self,
        picture: SentPicture,
        session: Session,
        *,
        timeout: float,  # noqa: ASYNC109 - of each request
    ) -> File:
        """Upload *picture*; the file, which may not be :meth:`ready` yet.

        Args:
            picture: read from its file as it is sent, never held in memory.
            session: a new one, or that of an interrupted upload of the same bytes, which then continues.
            timeout: seconds for each request, which contains up to :data:`CHUNK` bytes.

        Raises:
            Refused: it failed.
            InvalidInput: the picture changed while it was being sent.
        """
        where = session.where
        start = await self._received(where) if where else 0
        if where is None or not 0 < start <= picture.bytes:
            where = session.where = await self._begun(picture, timeout)
            start = 0
        reply = None
        # If everything arrived and only the answer was lost, an empty piece completes the upload.
        for at in range(start, picture.bytes, CHUNK) or (picture.bytes,):
            reply = await self._sent(picture, at, where, timeout)
        session.where = None
        return _file(_json(reply).get("file"))

    async def ready(self, file: File) -> File:
        """Wait until the API can use *file*.

        Raises:
            Refused: it cannot, or not in time.
        """

        async def looked_at() -> File:
            reply = await self._asked("GET", f"/v1beta/{file.name}", timeout=_SHORT, about=file.name)
            return _file(_json(reply))

        now = file
        if file.state != "ACTIVE":
            tries = AsyncRetrying(
                retry=retry_if_result(lambda one: one.state not in ("ACTIVE", "FAILED")),
                wait=wait_exponential(0.25, max=5),
                stop=stop_after_delay(self._processing),
            )
            try:
                now = await tries(looked_at)
            except RetryError:
                _odd(f"the picture was not ready within {self._processing:g} s")
        if now.state == "FAILED":
            raise Refused(self._unusable(now))
        return now

    async def delete(self, name: str) -> str | None:
        """Delete the file *name*; why that failed, if it did. A file that is gone counts as deleted."""
        try:
            await self._asked("DELETE", f"/v1beta/{name}", timeout=_SHORT, about=name)
        except Refused as refused:
            return None if refused.judgement.verdict is Verdict.FILE_GONE else refused.judgement.detail
        return None

    async def _begun(self, picture: SentPicture, timeout: float) -> httpx.URL:  # noqa: ASYNC109
        """The URL for the bytes of *picture*. It is a secret: whoever knows it can write there."""
        headers = {
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(picture.bytes),
            "x-goog-upload-header-content-type": picture.mime_type,
        }
        body = msgspec.json.encode({"file": {"displayName": f"retouch {picture.sha256[:12]}"}})
        reply = await self._asked("POST", "/upload/v1beta/files", timeout=timeout, headers=headers, body=body)
        try:
            return httpx.URL(reply.headers["x-goog-upload-url"])
        except (KeyError, httpx.InvalidURL):
            _odd("it does not say where the picture is to go")

    async def _received(self, where: httpx.URL) -> int:
        """How many bytes the API has of an interrupted upload; 0 if it no longer knows it."""
        try:
            reply = await self._asked(
                "POST", where, timeout=_SHORT, headers={"x-goog-upload-command": "query"}
            )
        except Refused as refused:
            if refused.judgement.verdict is Verdict.INVALID_REQUEST:
                return 0
            raise
        size = reply.headers.get("x-goog-upload-size-received", "")
        return int(size) if reply.headers.get("x-goog-upload-status") == "active" and size.isdecimal() else 0

    async def _sent(
        self,
        picture: SentPicture,
        start: int,
        where: httpx.URL,
        timeout: float,  # noqa: ASYNC109
    ) -> httpx.Response:
        """Send the next piece of *picture*, from *start*; the response."""
        end = min(start + CHUNK, picture.bytes)
        last = end == picture.bytes
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(end - start),
            "x-goog-upload-command": "upload, finalize" if last else "upload",
            "x-goog-upload-offset": str(start),
        }
        body = Stretch(picture, start, end, self._reader)
        reply = await self._asked("POST", where, timeout=timeout, headers=headers, body=body)
        status = reply.headers.get("x-goog-upload-status")
        if status != ("final" if last else "active"):
            _odd(f"after {end} of {picture.bytes} bytes the upload is {redacted(str(status))!r}")
        return reply

    async def _asked(
        self, method: str, path: str | httpx.URL, *, about: str | None = None, **more: Any
    ) -> httpx.Response:
        """The response to a request *about* a file, if it succeeded."""
        reply = await self._send(method, path, **more)
        if isinstance(reply, httpx.Response) and reply.is_success:
            return reply
        raise Refused(self._judged(reply, (about,) if about else ()))

    def _judged(self, reply: httpx.Response | Failure, names: tuple[str, ...]) -> Judgement:
        answer = reply if isinstance(reply, Failure) else answer_of(reply, self._key)
        judged = file_gone(judge(answer), names)
        if judged.verdict is Verdict.NOT_FOUND:
            # This is not about a model: the address does not exist, as behind a gateway without the Files API.
            judged = msgspec.structs.replace(judged, verdict=Verdict.INVALID_REQUEST, scope=Scope.ROW)
        detail = self._said(judged.detail or "no word of why")
        return msgspec.structs.replace(judged, counted=False, unknown=False, detail=detail)

    def _unusable(self, file: File) -> Judgement:
        why = file.error.message if file.error else ""
        detail = self._said(f"the picture cannot be used: {why or 'no word of why'}")
        return Judgement(verdict=Verdict.INVALID_REQUEST, scope=Scope.ROW, counted=False, detail=detail)

    def _said(self, what: str) -> str:
        return redacted(f"Files API: {what}", self._key)


def _odd(what: str) -> NoReturn:
    """Give up because of an answer that makes no sense; the next one may."""
    detail = f"Files API: {what}"
    raise Refused(Judgement(verdict=Verdict.OVERLOADED, scope=Scope.MODEL, counted=False, detail=detail))


def _json(reply: httpx.Response | None) -> dict[str, Any]:
    found = loads(reply.content) if reply is not None else None
    return found if isinstance(found, dict) else {}


def _file(found: Any) -> File:
    """The file that an answer describes. Its name becomes part of the paths of later requests."""
    file = read(File, found) if isinstance(found, dict) else File()
    if not file.name.startswith("files/") or fault_of_id(file.name) or not file.uri:
        _odd("its answer names no file")
    return file
