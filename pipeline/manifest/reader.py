"""The interface of a format's reader: rows as cells, before they are interpreted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from pipeline.edit import Fault
from pipeline.manifest.file import Fingerprint


class Raw(msgspec.Struct, frozen=True):
    """One data row as it stands in the manifest.

    Attributes:
        line: the line where the row starts; the row's number if the format has no lines.
        cells: values by column, with known columns in their canonical form and others as written.
        faults: what the reader found wrong; their ``row`` is filled in later.
        readable: false if there are no usable cells, so that further checks would only repeat the fault.
    """

    line: int
    cells: dict[str, Any]
    faults: tuple[Fault, ...] = ()
    readable: bool = True


class Reader(Protocol):
    """Reads one manifest; every method may be called again, and starts from the beginning."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was skipped without making a row invalid, one sentence each."""
        ...

    def rows(self) -> Iterator[Raw]:
        """The data rows in order, streamed; ManifestError if the manifest cannot be read."""
        ...

    def ids(self) -> Iterator[object]:
        """The values of the ``id`` column, as cheaply as the format allows; may omit empty ones."""
        ...

    def fingerprint(self) -> Fingerprint:
        """Size and hash that show whether the manifest has changed."""
        ...


def unreadable(line: int, code: str, message: str) -> Raw:
    """A row without usable cells, with the fault that says why."""
    return Raw(line, {}, (Fault(code=code, message=message, line=line),), readable=False)
