"""What a format's reader gives: rows as cells, before anything is known of their meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from pipeline.edit import Fault
from pipeline.manifest.file import Fingerprint


class Raw(msgspec.Struct, frozen=True):
    """One data row as it stands in the manifest.

    Attributes:
        line: the line where the row starts; the row's number where the format has no lines.
        cells: values by column; known columns in their canonical spelling, others as written.
        faults: what the reader found wrong; their ``row`` is filled in by who counts rows.
        readable: false when the cells say nothing, so that further checks would only repeat the fault.
    """

    line: int
    cells: dict[str, Any]
    faults: tuple[Fault, ...] = ()
    readable: bool = True


class Reader(Protocol):
    """One manifest in one format; every method may be called again and starts from the beginning."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out without making a row invalid, a sentence each."""
        ...

    def rows(self) -> Iterator[Raw]:
        """The data rows in order, streamed; raises ManifestError for what cannot be read at all."""
        ...

    def ids(self) -> Iterator[object]:
        """The values of the ``id`` column, as cheaply as the format allows; empty ones may be left out."""
        ...

    def fingerprint(self) -> Fingerprint:
        """Size and hash by which a change of the manifest shows."""
        ...


def unreadable(line: int, code: str, message: str) -> Raw:
    """A row that is nothing but its fault."""
    return Raw(line, {}, (Fault(code=code, message=message, line=line),), readable=False)
