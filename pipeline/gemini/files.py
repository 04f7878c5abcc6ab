"""Pictures too big for a request: uploaded once per process, named in requests, deleted when no longer needed.

After the rows that need a file are settled it is kept for later rows, up to :data:`IDLE_BYTES` in total, and deleted
when the process ends at the latest. If the process is killed, the API deletes its files after 48 hours (gemini-api.md
6).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.attempt import Verdict
from pipeline.errors import InvalidInput
from pipeline.gemini.fileapi import FileApi, Refused, Session
from pipeline.gemini.judgement import Judgement
from pipeline.gemini.redact import redacted
from pipeline.picture import SentPicture

log = logging.getLogger("retouch.files")

#: Bytes of files that no current row needs: a project may have 20 GB (gemini-api.md 6), over all its processes.
IDLE_BYTES = 1_000_000_000

#: Uploads at a time: a few fill the line, and the first rows can be called while the next files are uploaded.
UPLOADS = 4

#: The part of a file's life in which requests may name it.
_USED = 0.9
#: Deletions at a time, and seconds for all of them at the end of the process.
_DELETIONS, _CLOSING = 8, 5.0


@dataclass(eq=False)
class _Upload:
    """One picture at the API, or on its way there.

    Attributes:
        task: uploads it and returns its address.
        users: the rows that need it.
        name: what the API calls it, once that is known.
        until: when requests must no longer name it, by the monotonic clock.
    """

    picture: SentPicture
    task: asyncio.Task[str] = field(init=False)
    users: set[RowFiles] = field(default_factory=set)
    name: str | None = None
    until: float = float("inf")

    @property
    def there(self) -> bool:
        """Whether the upload has succeeded."""
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None


class Files:
    """The files that this process has uploaded.

    Args:
        api: makes the requests.
        idle_bytes: in place of :data:`IDLE_BYTES`.
    """

    def __init__(self, api: FileApi, *, idle_bytes: int = IDLE_BYTES) -> None:
        self._api = api
        self._idle_bytes = idle_bytes
        #: By the hash of their bytes, the least recently used first.
        self._uploads: OrderedDict[str, _Upload] = OrderedDict()
        self._deleting: set[asyncio.Task[None]] = set()
        #: Those of interrupted uploads, for the next try.
        self._sessions: dict[str, Session] = {}
        self._uploading = asyncio.Semaphore(UPLOADS)
        self._turn = asyncio.Semaphore(_DELETIONS)
        self._told = False

    def of_row(self, pictures: Sequence[SentPicture]) -> RowFiles:
        """*pictures* for one row, to be given back by :meth:`RowFiles.release`."""
        return RowFiles(self, pictures)

    async def aclose(self) -> None:
        """Delete every file, as far as that is quickly done."""
        while self._uploads:
            self._drop(next(iter(self._uploads)))
        if self._deleting:
            _, late = await asyncio.wait(self._deleting, timeout=_CLOSING)
            for task in late:
                task.cancel()

    async def address(self, picture: SentPicture, row: RowFiles, timeout: float) -> str:  # noqa: ASYNC109
        """The address of *picture*, which *row* needs, at the API.

        Raises:
            Refused: it could not be uploaded.
            InvalidInput: it changed while it was being sent.
        """
        upload = self._uploads.get(picture.sha256)
        if upload is None or upload.until <= time.monotonic():
            upload = self._begin(picture, timeout)
        upload.users.add(row)
        try:
            return await asyncio.shield(upload.task)
        except Refused:
            self._forget(upload)
            raise
        except InvalidInput as fault:
            self._forget(upload)
            self._sessions.pop(picture.sha256, None)
            if upload.picture.path == picture.path:
                raise
            # The upload read another row's copy of the picture, which disappeared with that row.
            detail = redacted(str(fault))
            raise Refused(Judgement(verdict=Verdict.NETWORK, counted=False, detail=detail)) from fault

    def forget(self, sha256: str, uri: str) -> None:
        """The API no longer knows *uri*: the next row that needs *sha256* uploads it again, for all rows."""
        upload = self._uploads.get(sha256)
        if upload is not None and upload.there and upload.task.result() == uri:
            self._forget(upload)

    def release(self, sha256: str, row: RowFiles) -> None:
        """*row* no longer needs *sha256*."""
        upload = self._uploads.get(sha256)
        if upload is None:
            self._sessions.pop(sha256, None)
            return
        upload.users.discard(row)
        if upload.users:
            return
        if not upload.there:
            self._drop(sha256)
            return
        self._uploads.move_to_end(sha256)
        self._make_room()

    def _begin(self, picture: SentPicture, timeout: float) -> _Upload:
        upload = self._uploads[picture.sha256] = _Upload(picture)
        upload.task = asyncio.create_task(self._uploaded(upload, timeout))
        # Whoever waited for it may be gone.
        upload.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return upload

    async def _uploaded(self, upload: _Upload, timeout: float) -> str:  # noqa: ASYNC109
        async with self._uploading:
            begun = time.monotonic()
            session = self._sessions.setdefault(upload.picture.sha256, Session())
            file = await self._api.upload(upload.picture, session, timeout=timeout)
        self._sessions.pop(upload.picture.sha256, None)
        seconds = time.monotonic() - begun
        log.info("file_uploaded name=%s bytes=%s seconds=%.1f", file.name, upload.picture.bytes, seconds)
        upload.name = file.name
        upload.until = time.monotonic() + _USED * file.life
        try:
            return (await self._api.ready(file)).uri
        except Refused:
            self._delete(file.name)
            raise

    def _make_room(self) -> None:
        idle = [(sha256, upload) for sha256, upload in self._uploads.items() if not upload.users]
        held = sum(upload.picture.bytes for _, upload in idle)
        for sha256, upload in idle:
            if held <= self._idle_bytes:
                return
            held -= upload.picture.bytes
            self._drop(sha256)

    def _forget(self, upload: _Upload) -> None:
        if self._uploads.get(upload.picture.sha256) is upload:
            del self._uploads[upload.picture.sha256]

    def _drop(self, sha256: str) -> None:
        upload = self._uploads.pop(sha256)
        self._sessions.pop(sha256, None)
        upload.task.cancel()
        if upload.name:
            self._delete(upload.name)

    def _delete(self, name: str) -> None:
        task = asyncio.create_task(self._deleted(name))
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    async def _deleted(self, name: str) -> None:
        async with self._turn:
            fault = await self._api.delete(name)
        if fault and not self._told:
            self._told = True
            log.warning("file_not_deleted name=%s, the API will do it within 48 hours: %s", name, fault)


class RowFiles:
    """The files of one row, from before its first call until it is settled.

    Attributes:
        uris: addresses at the API by the hash of the bytes, for the next call.
    """

    def __init__(self, files: Files, pictures: Sequence[SentPicture]) -> None:
        self.uris: dict[str, str] = {}
        self._files = files
        self._pictures = pictures

    async def upload(self, timeout: float) -> Judgement | None:  # noqa: ASYNC109 - of each request
        """Make sure that every picture is at the API; why one is not, if so.

        Args:
            timeout: seconds for each request.

        Raises:
            InvalidInput: a picture changed while it was being sent.
        """
        try:
            for picture in self._pictures:
                self.uris[picture.sha256] = await self._files.address(picture, self, timeout)
        except Refused as refused:
            return refused.judgement
        return None

    def forget(self, said: str) -> None:
        """The API no longer knows a file: upload it again, or all of them if what it *said* does not name it."""
        named = {sha256: uri for sha256, uri in self.uris.items() if uri.rpartition("/")[2] in said}
        for sha256, uri in (named or self.uris).items():
            self._files.forget(sha256, uri)

    def release(self) -> None:
        """The row is settled, or left unsettled: its files are no longer needed for it."""
        for picture in self._pictures:
            self._files.release(picture.sha256, self)
