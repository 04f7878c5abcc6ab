"""Uploaded files, each visible only to its own key, until it is deleted or expires (section 6)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.gemini.emulator.google_errors import WireError
from pipeline.gemini.emulator.ledger import Upload

#: Bytes of a file, and of all files of a key.
MAX_FILE, MAX_FILES = 2 * 1024**3, 20 * 1024**3


@dataclass(kw_only=True)
class StoredFile:
    """One file.

    Attributes:
        state: ``PROCESSING`` for so many *polls* more, then what *final* says: ``ACTIVE`` or ``FAILED``.
        seconds: that it lives.
        entry: in the ledger.
    """

    id: str
    key: str
    mime_type: str
    display_name: str
    url: str
    entry: Upload
    data: bytes = b""
    final: str = "ACTIVE"
    polls: int = 0
    error: str = ""
    seconds: float = 48 * 3600.0
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def state(self) -> str:
        """As the API tells of it now."""
        return "PROCESSING" if self.polls else self.final

    @property
    def over(self) -> bool:
        """Whether it has run out."""
        return datetime.now(UTC) >= self._end

    @property
    def _end(self) -> datetime:
        return self.created + timedelta(seconds=self.seconds)

    def document(self) -> dict[str, Any]:
        """The JSON of a file."""
        said: dict[str, Any] = {
            "name": f"files/{self.id}",
            "displayName": self.display_name,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.data)),
            "createTime": _time(self.created),
            "updateTime": _time(self.created),
            "expirationTime": _time(self._end),
            "sha256Hash": base64.b64encode(hashlib.sha256(self.data).hexdigest().encode()).decode(),
            "uri": self.url,
            "state": self.state,
            "source": "UPLOADED",
        }
        if self.state == "FAILED":
            said["error"] = {"code": 13, "message": self.error or "The file could not be processed."}
        return said


class FileStore:
    """All files of an emulator."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}

    def room_for(self, size: int, key: str) -> None:
        """Raise what the API says of *size* more bytes of *key* where that is too much."""
        if size > MAX_FILE:
            raise WireError(400, f"Upload size {size} exceeds the limit of {MAX_FILE} bytes.")
        if size + sum(len(file.data) for file in self.of(key)) > MAX_FILES:
            raise WireError(429, "You have exceeded your file storage quota of 20 GB; delete some files.")

    def add(self, file: StoredFile) -> None:
        """Keep *file*."""
        self._files[file.id] = file

    def of(self, key: str) -> list[StoredFile]:
        """The files of *key*, the newest first."""
        return [file for file in reversed(self._files.values()) if file.key == key and not file.over]

    def find(self, name: str, key: str) -> StoredFile:
        """The file *name* (its id, ``files/<id>``, or its address) of *key*."""
        file_id = name.rpartition("/")[2]
        file = self._files.get(file_id)
        if file is None or file.key != key or file.over:
            # The same message in all cases, so that nobody learns which files others have.
            raise WireError(
                403, f"You do not have permission to access the File {file_id} or it may not exist."
            )
        return file

    def picture(self, file_data: Mapping[str, Any], key: str) -> bytes:
        """The bytes that a part's ``file_data`` means."""
        file = self.find(str(file_data.get("file_uri", "")), key)
        if file.state != "ACTIVE":
            message = f"The File {file.id} is not in an ACTIVE state and usage is not allowed."
            raise WireError(400, message, status="FAILED_PRECONDITION")
        file.entry.calls += 1
        return file.data

    def delete(self, file: StoredFile) -> None:
        """Forget *file*."""
        del self._files[file.id]
        file.entry.deleted = True


def new_id() -> str:
    """As the API makes them."""
    return secrets.token_hex(6)


def _time(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
