"""Checks that a job's files match its records: every picture exists, is unchanged, and belongs to a record.

Memory holds the records of one shard and a few pictures at a time; the names of a million pictures are kept on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from pipeline.concurrency import bounded_map
from pipeline.errors import JobError
from pipeline.job.folder import JobFolder
from pipeline.job.registry import last_status
from pipeline.job.shard import totals_of
from pipeline.picture.kind import HEAD, sniff
from pipeline.record import Outcome, OutputPicture, Record
from pipeline.status import ENDED, Totals
from pipeline.store.bucket import Bucket, Missing, split_url

_IMAGES, _RESULTS = "images", "results.jsonl"
#: Pictures that are read at a time.
_TOGETHER = 4

_records = msgspec.json.Decoder(Record)


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not match the records.

    Attributes:
        code: ``missing``, ``size``, ``sha256``, ``type``, ``no_picture``, ``outside``, ``unrecorded``, ``rows``,
            ``results``, ``report`` or ``damaged``.
        path: the file, relative to the job folder.
        row: the row whose record it is, if it is about one.
    """

    code: str
    path: str
    message: str
    row: int | None = None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared; *ended*: that was the whole job, and not only its settled rows."""

    ended: bool
    records: int
    pictures: int
    bytes: int


class Verifier:
    """Compares one job's files with its records; calls *found* with every flaw. Methods raise ``StoreError``."""

    def __init__(self, folder: JobFolder, found: Callable[[Flaw], None]) -> None:
        self._folder = folder
        self._found = found
        self._totals = Totals()
        self._records = self._pictures = self._bytes = 0
        #: The row whose record should come next; ``None`` if rows may still be missing.
        self._next_row: int | None = None

    async def run(self) -> Verified:
        """Compare everything; or if the job has not ended, what is settled so far."""
        folder = self._folder
        await folder.rounds.refresh()
        shards = await folder.plans.count()
        status = await last_status(folder)
        ended = status is not None and status.state in ENDED
        self._next_row = 1 if ended else None
        with (
            tempfile.TemporaryDirectory(prefix="retouch-") as scratch,
            contextlib.closing(_Names(Path(scratch, "names"))) as recorded,
        ):
            results = await self._results(Path(scratch)) if ended else None
            for shard in range(1, shards + 1):
                await self._shard(shard, recorded, results)
            if results:
                results.end()
            if ended:
                await self._whole()
                await asyncio.to_thread(self._unrecorded, recorded)
        return Verified(ended=ended, records=self._records, pictures=self._pictures, bytes=self._bytes)

    async def _results(self, scratch: Path) -> _Results | None:
        """``results.jsonl`` as a file on this machine."""
        if self._folder.store.folder is not None:
            path = self._folder.store.folder / _RESULTS
        else:
            path = scratch / _RESULTS
            bucket, key = split_url(f"{self._folder.store.url}/{_RESULTS}")
            try:
                await Bucket(bucket).download(key, path)
            except Missing:
                path.unlink(missing_ok=True)
        if not path.is_file():
            self._flaw("missing", _RESULTS, "does not exist: `retouch report` writes it")
            return None
        return _Results(path.open("rb"), self._found)

    async def _shard(self, shard: int, recorded: _Names, results: _Results | None) -> None:
        try:
            lines = await self._folder.shards.settled_lines(shard)
            records = _records.decode_lines(lines)
        except (JobError, msgspec.DecodeError) as error:
            self._flaw("damaged", f".retouch/shards/{shard:06d}", f"cannot be read: {error}")
            return
        if results:
            results.compare(lines)
        self._totals += totals_of(records)
        self._records += len(records)
        for record in records:
            self._record(record)
            recorded.add(picture.path for picture in record.images)
        pictures = ((record.row, picture) for record in records for picture in record.images)
        for flaw in await bounded_map(self._picture, pictures, _TOGETHER):
            if flaw:
                self._found(flaw)

    def _record(self, record: Record) -> None:
        if record.outcome is Outcome.DONE and not record.images:
            self._flaw("no_picture", _RESULTS, "is done, but its record names no picture", record.row)
        if self._next_row is not None and record.row != self._next_row:
            self._flaw("rows", _RESULTS, f"comes where row {self._next_row} should", record.row)
        self._next_row = self._next_row and record.row + 1

    async def _picture(self, of_row: tuple[int, OutputPicture]) -> Flaw | None:
        row, picture = of_row

        def flaw(code: str, message: str) -> Flaw:
            return Flaw(code=code, path=picture.path, message=message, row=row)

        path = PurePosixPath(picture.path)
        if path.parent != PurePosixPath(_IMAGES) or path.name == "..":
            return flaw("outside", f"is not directly inside {_IMAGES}/ and was not checked")
        data = await self._folder.store.get(picture.path)
        self._pictures += 1
        if data is None:
            return flaw("missing", "is not there")
        self._bytes += len(data)
        digest = (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()
        for code, there, said in (
            ("size", f"{len(data)} bytes", f"{picture.bytes} bytes"),
            ("sha256", digest, picture.sha256),
            ("type", sniff(data[:HEAD]) or "unknown", picture.mime_type),
        ):
            if there != said:
                return flaw(code, f"is {there}, but its record says {said}")
        return None

    async def _whole(self) -> None:
        """What only holds for a job that has ended: every row has a record, and the report counts them all."""
        planned = await self._folder.planned()
        if planned is not None and planned.rows != self._records:
            self._flaw("rows", _RESULTS, f"{self._records} rows have a record, of {planned.rows}")
        status = await last_status(self._folder)
        outcomes = {outcome.value: self._totals.outcomes.get(outcome.value, 0) for outcome in Outcome}
        said = {
            name: count for name, count in (status.outcomes if status else {}).items() if name in outcomes
        }
        if said != outcomes:
            self._flaw("report", "report.json", f"counts {said}, and the records are {outcomes}")

    def _unrecorded(self, recorded: _Names) -> None:
        for name in self._names():
            if f"{_IMAGES}/{name}" not in recorded:
                self._flaw("unrecorded", f"{_IMAGES}/{name}", "is in no record")

    def _names(self) -> Iterator[str]:
        """The names in the folder of pictures."""
        if self._folder.store.folder is None:
            bucket, key = split_url(f"{self._folder.store.url}/{_IMAGES}")
            for entry in Bucket(bucket).entries(key):
                yield entry if isinstance(entry, str) else entry.name
        elif (self._folder.store.folder / _IMAGES).is_dir():
            with os.scandir(self._folder.store.folder / _IMAGES) as entries:
                for found in entries:
                    yield found.name

    def _flaw(self, code: str, path: str, message: str, row: int | None = None) -> None:
        self._found(Flaw(code=code, path=path, message=message, row=row))


class _Results:
    """``results.jsonl``, read in step with the records that it should contain; reports the first difference."""

    def __init__(self, file: IO[bytes], found: Callable[[Flaw], None]) -> None:
        self._file = file
        self._found = found
        self._line = 0
        self._differs = False

    def compare(self, lines: bytes) -> None:
        """Compare the next part of the file with *lines*."""
        if self._differs:
            return
        there = self._file.read(len(lines))
        if there == lines:
            self._line += lines.count(b"\n")
            return
        pairs = zip(there.split(b"\n"), lines.split(b"\n"), strict=False)
        line = next(number for number, (one, other) in enumerate(pairs, self._line + 1) if one != other)
        self._say(f"line {line} is not the record of its row")

    def end(self) -> None:
        """Make sure that the file ends here."""
        if not self._differs and self._file.read(1):
            self._say(f"goes on after the last record, at line {self._line + 1}")
        self._file.close()

    def _say(self, message: str) -> None:
        self._differs = True
        message = f"{message}: `retouch report` writes it again"
        self._found(Flaw(code="results", path=_RESULTS, message=message))


class _Names:
    """A set of names on disk, because a million of them would not fit in memory."""

    def __init__(self, path: Path) -> None:
        self._names = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # It is temporary: nothing needs to survive a crash.
        self._names.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; BEGIN;")
        self._names.execute("CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, names: Iterator[str]) -> None:
        """Remember *names*."""
        self._names.executemany("INSERT OR IGNORE INTO names VALUES (?)", ((name,) for name in names))

    def __contains__(self, name: str) -> bool:
        return self._names.execute("SELECT 1 FROM names WHERE name = ?", (name,)).fetchone() is not None

    def close(self) -> None:
        """Close the file."""
        self._names.close()
