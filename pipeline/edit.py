"""A row of a manifest, and what may be wrong with it; pure."""

from __future__ import annotations

from typing import Any

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong in the manifest.

    Attributes:
        code: a short word for scripts.
        message: what is wrong and how to fix it.
        row: the row's number, from 1; ``None`` if it concerns the whole manifest.
        line: the line in the file.
        column: the column; or an option, if it begins with ``--``.
    """

    code: str
    message: str
    row: int | None = None
    line: int | None = None
    column: str | None = None

    @property
    def where(self) -> str | None:
        """The column or option, for people."""
        option = self.column is None or self.column.startswith("--")
        return self.column if option else f"column {self.column}"


class Edit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a manifest, numbered and normalised; what a shard's plan holds.

    Attributes:
        row: the internal key, counted from 1; with ``--repeat``, each variation counts.
        line: the line in the manifest file; the row's number if the format has no lines.
        id: the row's name for users.
        name: the file name of the result without extension; unique in the job and safe on every file system.
        images: paths or URLs from the manifest, with ``/`` as separator; if empty, a picture is generated.
        prompt: the text with its ``{columns}`` filled in.
        model: this row's own model; ``None``: the job's; likewise *aspect_ratio* and *image_size*.
        extra: the other columns.
        faults: what makes the row invalid; a row with faults is never sent.
    """

    row: int
    line: int
    id: str
    name: str
    prompt: str = ""
    images: tuple[str, ...] = ()
    model: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    extra: dict[str, Any] = {}
    faults: tuple[Fault, ...] = ()
