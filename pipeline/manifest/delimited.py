"""CSV and TSV as people and Excel write them.

This uses the standard library's parser in strict mode, over lines that are held until their row is complete. A quote
that is never closed swallows the rows after it: then the row with that quote is at fault, and reading continues with
the next line. Such lines may also be the rest of a text with line breaks, so each of them must have exactly as many
values as the header; otherwise it is a fault, too, and nothing is sent for it.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from pipeline.edit import Fault
from pipeline.errors import ManifestError
from pipeline.manifest import columns
from pipeline.manifest.file import LONGEST, File, Fingerprint, bad_byte, bad_byte_message, without_bad_bytes
from pipeline.manifest.reader import Raw, unreadable

_DELIMITERS = (",", ";", "\t")

# LONGEST limits a row; the parser's own limit, 131,072 characters per value, would reject valid prompts.
csv.field_size_limit(LONGEST)


class _TooLongError(Exception):
    """A row is longer than allowed."""


class _Feed:
    """Lines for the parser, counted, and held until :meth:`begin` so that they can be read again."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._held: list[str] = []
        self._size = 0
        #: The number of the last line given.
        self.number = 0
        #: Whether this row is not pure ASCII, and so may contain bytes that are not UTF-8.
        self.beyond_ascii = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.number += 1
        self._held.append(line)
        self._size += len(line)
        if self._size > LONGEST:
            raise _TooLongError
        if not line.isascii():
            self.beyond_ascii = True
        return line

    def begin(self) -> int:
        """Start a new row; the number of its first line."""
        self._held.clear()
        self._size = 0
        self.beyond_ascii = False
        return self.number + 1

    def rewind(self, *, keep: int) -> None:
        """Give all lines of this row again, except the first *keep*."""
        back = self._held[keep:]
        self._again.extendleft(reversed(back))
        self.number -= len(back)


class _Layout:
    """The columns of a file, from its header."""

    def __init__(self, names: list[str]) -> None:
        self.width = len(names)
        self.names = names
        self.unnamed = [index for index, name in enumerate(names) if not name]

    def cells(self, fields: list[str]) -> dict[str, str]:
        """Values by column; missing ones are empty, because spreadsheets omit empty cells at the end."""
        if len(fields) < self.width:
            fields = fields + [""] * (self.width - len(fields))
        cells = dict(zip(self.names, fields, strict=False))
        cells.pop("", None)
        return cells

    def misfit(self, fields: list[str], line: int) -> Fault | None:
        """The fault of values that belong to no column, if there are any."""
        if len(fields) > self.width and any(map(str.strip, fields[self.width :])):
            message = (
                f"the row has {len(fields)} values, the header {self.width} columns; "
                "put a value that holds the separator into double quotes, without a space before them."
            )
            return Fault(code="extra_values", message=message, line=line)
        for index in self.unnamed:
            if fields[index : index + 1] and fields[index].strip():
                message = f"there is a value in column {index + 1}, which has no name; name it or empty it."
                return Fault(code="extra_values", message=message, line=line)
        return None


class Delimited:
    """Reader of delimited values; *delimiter* ``None``: detected from the header."""

    notes: tuple[str, ...] = ()

    def __init__(self, file: File, delimiter: str | None, prompt: str | None) -> None:
        self._file = file
        self._delimiter = delimiter
        self._prompt = prompt

    def rows(self) -> Iterator[Raw]:
        feed = _Feed(self._file.lines())
        delimiter, layout = self._header(feed)
        parser = csv.reader(feed, delimiter=delimiter, strict=True)
        doubtful = 0  # the last line that an open quote may have swallowed
        while True:
            line = feed.begin()
            try:
                fields = next(parser)
            except StopIteration:
                return
            except (csv.Error, _TooLongError) as error:
                doubtful = max(doubtful, feed.number)
                yield _unparsed(line, feed.number, error)
                feed.rewind(keep=1)
                parser = csv.reader(feed, delimiter=delimiter, strict=True)
                continue
            if not any(map(str.strip, fields)):
                continue  # blank, or nothing but delimiters
            if line <= doubtful and len(fields) != layout.width:
                message = "the line is inside a quote that was opened in a row above; close that quote."
                yield unreadable(line, "open_quote", message)
                continue
            yield _row(line, fields, layout, beyond_ascii=feed.beyond_ascii)

    def ids(self) -> Iterator[object]:
        for raw in self.rows():
            if "id" not in raw.cells and raw.readable:
                return  # the header has no such column
            yield raw.cells.get("id")

    def fingerprint(self) -> Fingerprint:
        return self._file.fingerprint()

    def _header(self, feed: _Feed) -> tuple[str, _Layout]:
        """The delimiter and the columns; the feed is then after the header."""
        try:
            delimiter = self._delimiter or _sniff(feed)
            while True:
                feed.begin()
                fields = next(csv.reader(feed, delimiter=delimiter, strict=True), None)
                if fields is None:
                    raise ManifestError(f"{self._file.shown} is empty; write a header and rows.")
                if any(map(str.strip, fields)):
                    break
        except (csv.Error, _TooLongError) as error:
            raise ManifestError(
                f"{self._file.shown}: the header, line {feed.number}, is not CSV ({str(error) or 'too long'})."
            ) from error
        byte = next((byte for byte in map(bad_byte, fields) if byte is not None), None)
        if byte is not None:
            raise ManifestError(f"{self._file.shown}, line {feed.number}: {bad_byte_message(byte)}")
        names = [columns.canonical(name) for name in fields]
        while names and not names[-1]:
            names.pop()
        columns.check_header(names, self._file.shown, self._prompt)
        return delimiter, _Layout(names)


def _sniff(feed: _Feed) -> str:
    """The delimiter: from Excel's ``sep=`` line, or else the one that gives the header most known columns."""
    feed.begin()
    line = next(feed, "")
    while line and not line.strip():
        feed.begin()
        line = next(feed, "")
    said = line.strip("\r\n").strip('"')
    if said[:4].casefold() == "sep=" and len(said) == 5:
        return said[4]
    feed.rewind(keep=0)
    return max(_DELIMITERS, key=lambda delimiter: _known(line, delimiter))


def _known(line: str, delimiter: str) -> tuple[int, int]:
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return 0, 0
    return len(columns.KNOWN.intersection(map(columns.canonical, names))), len(names)


def _unparsed(line: int, last: int, error: Exception) -> Raw:
    if last == line and isinstance(error, _TooLongError):
        return unreadable(line, "too_long", f"the row is longer than {LONGEST:,} characters; shorten it.")
    where = (
        f"a quote that opens here is not closed correctly by line {last}"
        if last > line
        else "a quote is wrong"
    )
    what = f" ({error})" if str(error) else ""
    return unreadable(line, "open_quote", f"{where}{what}; close it, and double a quote inside quotes.")


def _row(line: int, fields: list[str], layout: _Layout, *, beyond_ascii: bool) -> Raw:
    if len(fields) == layout.width and not beyond_ascii and not layout.unnamed:
        return Raw(line, dict(zip(layout.names, fields, strict=True)))
    faults = []
    misfit = layout.misfit(fields, line)
    if misfit:
        faults.append(misfit)
    if beyond_ascii:
        for index, field in enumerate(fields):
            byte = bad_byte(field)
            if byte is not None:
                column = layout.names[index] if index < layout.width else None
                message = bad_byte_message(byte)
                faults.append(Fault(code="bad_encoding", message=message, line=line, column=column))
                fields[index] = without_bad_bytes(field)
    return Raw(line, layout.cells(fields), tuple(faults))
