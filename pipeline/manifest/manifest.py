"""Turns rows into numbered and named edits, with their variations; the interface of this package."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from pipeline.edit import Edit, Fault
from pipeline.errors import ManifestError, UsageError
from pipeline.manifest import template
from pipeline.manifest.bucket import BucketPictures
from pipeline.manifest.cells import row_name, typed
from pipeline.manifest.file import File, Fingerprint
from pipeline.manifest.mistaken import LOOKED_AT, refuse_mistaken
from pipeline.manifest.naming import LIKE_NUMBER, Labels, Named, Register, file_name
from pipeline.manifest.pictures import Pictures
from pipeline.manifest.place import Place, locate_manifest
from pipeline.manifest.reader import Raw, Reader
from pipeline.manifest.selection import Selection


class Manifest:
    """A manifest, which can be read as often as needed, with the same result every time.

    Attributes:
        source: absolute path or glob, the URL of a file or folder in a bucket, or ``-``.
        root: the folder that ``Edit.images`` are relative to, a path or the URL of one in a bucket.
        notes: what was skipped without making a row invalid, one sentence each.
    """

    def __init__(
        self, place: Place, reader: Reader, *, prompt: str | None, limit: int | None, repeat: int
    ) -> None:
        self.source = place.source
        self.root = place.root
        self._reader = reader
        self._prompt = prompt
        self._limit = limit
        self._repeat = repeat

    @property
    def notes(self) -> tuple[str, ...]:
        return self._reader.notes

    def edits(self, after: int = 0) -> Iterator[Edit]:
        """All edits in order, streamed, including those with faults.

        Args:
            after: the last ``Edit.row`` to skip; the skipped rows are only read for their ids.
        """
        register = Register(self._reserved)
        for number, raw in enumerate(islice(self._reader.rows(), self._limit), 1):
            faults: list[Fault] = []
            explicit = row_name(raw.cells, "id", faults)
            output = row_name(raw.cells, "output", faults)
            named = register.admit(number, raw.line, explicit, output)
            if number * self._repeat > after:
                yield from self._edits(number, raw, named, faults, after)

    def fingerprint(self) -> Fingerprint:
        """Size and hash of the file's bytes, or of the names, sizes and times in a folder or glob."""
        return self._reader.fingerprint()

    def _edits(self, number: int, raw: Raw, named: Named, faults: list[Fault], after: int) -> Iterator[Edit]:
        values = typed(raw, self._prompt)
        faults = [*values.faults, *faults, *named.faults]
        first = (number - 1) * self._repeat
        for variation in range(1, self._repeat + 1):
            row = first + variation
            if row <= after:
                continue
            suffix = f"-{variation}" if self._repeat > 1 else ""
            yield Edit(
                row=row,
                line=raw.line,
                id=named.id + suffix,
                name=file_name(named.label + suffix),
                prompt=values.prompt,
                images=values.images,
                model=values.model,
                aspect_ratio=values.aspect_ratio,
                image_size=values.image_size,
                extra=values.extra,
                faults=tuple(msgspec.structs.replace(fault, row=row, line=raw.line) for fault in faults),
            )

    def _reserved(self) -> Labels:
        """The explicit ids of the manifest that look like a row's number.

        They come from the whole manifest regardless of the limit, so that a higher limit later gives the same ids.
        """
        labels = Labels()
        for value in self._reader.ids():
            identity = row_name({"id": value}, "id")
            if identity is not None and LIKE_NUMBER.fullmatch(identity):
                labels.add(identity, 0)
        return labels


def open_manifest(
    argument: str,
    *,
    prompt: str | None,
    limit: int | None,
    repeat: int = 1,
    spooled: Path | None = None,
) -> Manifest:
    """The manifest that *argument* names; ManifestError if it cannot be read at all.

    Args:
        argument: a path, a glob, a bucket's URL, or ``-`` for standard input.
        prompt: for rows without their own; may contain ``{column}``, too.
        limit: read only so many data rows.
        repeat: how many variations of each row.
        spooled: the file into which :func:`pipeline.manifest.spool.spool` has put standard input, or
            :func:`pipeline.manifest.bucket.fetched` a file from a bucket.
    """
    prompt = prompt if prompt and prompt.strip() else None
    _check_options(prompt, limit, repeat)
    place = locate_manifest(argument, spooled)
    reader = _reader(place, prompt)
    first = [raw.cells for raw in islice(reader.rows(), LOOKED_AT)]
    if not first:
        raise ManifestError(f"{argument} has no rows; write at least one.")
    shown = "standard input" if argument == "-" else argument
    refuse_mistaken(first, shown, _job_around(argument, place) or "JOB")
    return Manifest(place, reader, prompt=prompt, limit=limit, repeat=repeat)


def open_pictures(argument: str, *, prompt: str | None) -> Pictures | BucketPictures:
    """The folder (which may be in a bucket) or glob that *argument* names, even if it has no pictures now.

    Raises:
        ManifestError: it is neither, or cannot be read.
    """
    prompt = prompt if prompt and prompt.strip() else None
    _check_options(prompt, None, 1)
    reader = _reader(locate_manifest(argument, None), prompt)
    if not isinstance(reader, Pictures | BucketPictures):
        raise ManifestError(f"{argument} is neither a folder of pictures nor a glob.")
    return reader


def open_selection(
    argument: str, selection: Path, *, prompt: str | None, limit: int | None, repeat: int
) -> Manifest:
    """The pictures of the folder or glob *argument* that the file *selection* lists.

    Raises:
        ManifestError: the folder cannot be read.
    """
    place = locate_manifest(argument, None)
    reader = Selection(File(path=selection, shown=f"the selection of {argument}"))
    return Manifest(place, reader, prompt=prompt, limit=limit, repeat=repeat)


def _job_around(argument: str, place: Place) -> str | None:
    """The folder of the manifest, as typed, if it is a job's."""
    if place.file is None or isinstance(place.root, str) or not (place.root / "job.json").is_file():
        return None
    return str(Path(argument).parent)


def _check_options(prompt: str | None, limit: int | None, repeat: int) -> None:
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: give a number of rows, 1 or more.")
    if repeat < 1:
        raise UsageError(f"--repeat {repeat}: give a number of variations, 1 or more.")
    if prompt is None:
        return
    try:
        template.check(prompt)
    except template.TemplateError as error:
        raise UsageError(f"--prompt: {error}") from error


def _reader(place: Place, prompt: str | None) -> Reader:
    if place.file is None or place.format is None:
        if prompt is None:
            raise ManifestError(
                f'{place.source} has no prompts; add --prompt "what to do with each picture".'
            )
        if isinstance(place.root, str):
            return BucketPictures(place.root, place.pattern, place.source)
        return Pictures(place.root, place.pattern, place.source)
    return place.format.reader(place.file, prompt)
