"""Builds the record of a settled row."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pipeline.edit import Edit
from pipeline.history import History
from pipeline.picture import SentPicture, VerifiedPicture
from pipeline.record import InputPicture, Outcome, OutputPicture, Record
from pipeline.timestamp import utc
from pipeline.urls.addresses import traceable


def record_of(
    edit: Edit,
    history: History,
    outcome: Outcome,
    reason: str | None = None,
    *,
    model: str,
    inputs: tuple[SentPicture, ...] = (),
    images: tuple[OutputPicture, ...] = (),
    text: str | None = None,
    model_version: str | None = None,
) -> Record:
    """The record of a row that came to *outcome*; *inputs* are the pictures that were sent."""
    return Record(
        id=edit.id,
        row=edit.row,
        line=edit.line,
        outcome=outcome,
        reason=reason,
        images=images,
        text=text,
        prompt=edit.prompt,
        model=model,
        model_version=model_version,
        inputs=_as_named(edit, inputs),
        attempts=history.attempts,
        uncounted=history.uncounted,
        unlisted=history.unlisted,
        calls=history.calls,
        calls_unknown=history.calls_unknown,
        cost_usd=history.cost_usd,
        settled_at=utc(time.time()),
        extra=edit.extra,
        notes=tuple(_notes(edit, inputs)),
    )


def output_picture(path: str, verified: VerifiedPicture, size: int) -> OutputPicture:
    """The record's entry of a stored picture of *size* bytes."""
    return OutputPicture(
        path=path,
        mime_type=verified.mime_type,
        width=verified.width,
        height=verified.height,
        bytes=size,
        sha256=verified.sha256,
    )


def _notes(edit: Edit, inputs: tuple[SentPicture, ...]) -> Iterator[str]:
    for name, picture in zip(edit.images, inputs, strict=False):
        if picture.first_of_several:
            yield f"{traceable(name)} has several frames or pages; only the first was sent"


def _as_named(edit: Edit, inputs: tuple[SentPicture, ...]) -> tuple[InputPicture, ...]:
    if not inputs:
        return tuple(InputPicture(path=traceable(name)) for name in edit.images)
    return tuple(
        InputPicture(
            path=traceable(name), sha256=picture.original_sha256, mime_type=picture.original_mime_type
        )
        for name, picture in zip(edit.images, inputs, strict=True)
    )
