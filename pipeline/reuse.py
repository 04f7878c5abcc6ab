"""The same edit is paid for once, when asked: ``--reuse``.

Every done row is remembered under the fingerprint of its edit in ``RETOUCH_STORE/.retouch/edits``. A job that
reuses takes a copy of the picture instead of calling; equal rows of its manifest wait for the first of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from pipeline.job.folder import JobFolder
from pipeline.picture import SentPicture
from pipeline.record import OutputPicture, Record
from pipeline.store import Store, open_store

EDITS = ".retouch/edits"


class Claims(Protocol):
    """Who makes an edit that several rows ask for; shared by all workers of a store."""

    async def claim(self, fingerprint: str) -> bool:
        """Be the one who makes it; false while another is at it. A claim of a dead process runs out."""
        ...

    async def release(self, fingerprint: str) -> None:
        """Let others look at what came of it."""
        ...


class LocalClaims:
    """:class:`Claims` for one process."""

    def __init__(self) -> None:
        self._claimed: set[str] = set()

    async def claim(self, fingerprint: str) -> bool:
        if fingerprint in self._claimed:
            return False
        self._claimed.add(fingerprint)
        return True

    async def release(self, fingerprint: str) -> None:
        self._claimed.discard(fingerprint)


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """Where the picture of an edit is."""

    job: str
    out: str
    id: str
    picture: OutputPicture
    text: str | None = None
    model_version: str | None = None

    @property
    def name(self) -> str:
        """How a record says whence its picture is."""
        return f"{self.job}/{self.id}"


class Reuse:
    """The edits that a store has already paid for."""

    def __init__(self, store: Store, claims: Claims) -> None:
        self._store = store
        self.claims = claims

    async def find(self, fingerprint: str) -> tuple[Remembered, bytes] | None:
        """An edit that was made, and its picture; ``None`` when it was not, or its picture is gone or changed."""
        data = await self._store.get(_path(fingerprint))
        try:
            found = msgspec.json.decode(data or b"", type=Remembered)
        except msgspec.DecodeError:
            # Not there, or lost with the power: remembering is worth no wait for the disk.
            return None
        picture = await open_store(found.out).get(found.picture.path)
        if picture is None or hashlib.sha256(picture).hexdigest() != found.picture.sha256:
            return None
        return found, picture

    async def remember(self, fingerprint: str, folder: JobFolder, job: str, record: Record) -> None:
        """Keep where the picture of the done *record* is."""
        made = Remembered(
            job=job,
            out=folder.store.url,
            id=record.id,
            picture=record.images[0],
            text=record.text,
            model_version=record.model_version,
        )
        await self._store.put(_path(fingerprint), msgspec.json.encode(made), durable=False)


def fingerprint(
    pictures: Sequence[SentPicture], prompt: str, model: str, aspect_ratio: str | None, image_size: str | None
) -> str:
    """What makes an edit this one: the bytes of its pictures, what is asked, of which model, and how."""
    inputs = [picture.original_sha256 for picture in pictures]
    parts = msgspec.json.encode([inputs, prompt, model, aspect_ratio, image_size])
    return hashlib.sha256(parts).hexdigest()


def _path(print_: str) -> str:
    return f"{EDITS}/{print_[:2]}/{print_}"
