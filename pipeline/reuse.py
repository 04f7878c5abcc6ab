"""``--reuse``: pays for identical edits only once.

Every done row is remembered under the fingerprint of its edit in ``RETOUCH_STORE/.retouch/edits``. A job with
``--reuse`` copies that picture instead of making a call; of identical rows in its manifest, all wait for the first.
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
    """Decides who makes an edit that several rows ask for; shared by all workers of a store."""

    async def claim(self, fingerprint: str) -> bool:
        """Claim the edit; false while somebody else is making it. The claim of a dead process expires."""
        ...

    async def release(self, fingerprint: str) -> None:
        """Release the claim: others can look for the result now."""
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
        """How a record names the origin of its picture."""
        return f"{self.job}/{self.id}"


class Reuse:
    """The edits that a store has already paid for."""

    def __init__(self, store: Store, claims: Claims) -> None:
        self._store = store
        self.claims = claims

    async def find(self, fingerprint: str) -> tuple[Remembered, bytes] | None:
        """The earlier edit and its picture; ``None`` if there is none, or its picture is gone or changed."""
        data = await self._store.get(_path(fingerprint))
        try:
            found = msgspec.json.decode(data or b"", type=Remembered)
        except msgspec.DecodeError:
            # It does not exist, or was lost with the power: remembering is not worth a wait for the disk.
            return None
        picture = await open_store(found.out).get(found.picture.path)
        if picture is None or hashlib.sha256(picture).hexdigest() != found.picture.sha256:
            return None
        return found, picture

    async def remember(self, fingerprint: str, folder: JobFolder, job: str, record: Record) -> None:
        """Remember where the picture of the done *record* is."""
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
    """Identifies an edit by the bytes of its pictures, its prompt, its model and its options."""
    inputs = [picture.original_sha256 for picture in pictures]
    parts = msgspec.json.encode([inputs, prompt, model, aspect_ratio, image_size])
    return hashlib.sha256(parts).hexdigest()


def _path(print_: str) -> str:
    return f"{EDITS}/{print_[:2]}/{print_}"
