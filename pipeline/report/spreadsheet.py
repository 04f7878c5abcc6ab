"""``results.csv``: one line per row, for Excel or LibreOffice; scripts use ``results.jsonl``."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any, BinaryIO, TextIO, cast

import msgspec

from pipeline.record import Record

COLUMNS = (
    "id", "row", "line", "outcome", "reason",
    "image", "width", "height", "bytes", "sha256",
    "prompt", "model", "inputs", "attempts", "uncounted", "last_verdict",
    "cost_usd", "settled_at", "text", "extra",
)  # fmt: skip

#: Excel cuts a cell at 32,767 characters and moves the rest to the next line.
CELL_LIMIT = 32_000
_CUT = " … (shortened; complete in results.jsonl)"

#: What a spreadsheet skips before it looks for a formula: spaces, all kinds of quotes, invisible characters.
_PASSED_OVER = r"\s\"'`\u00ad\u00b4\u2018-\u201f\u200b-\u200f\u2060\ufeff"
_CALLS = r"=@\uff1d\uff20"  # and their full-width forms
_SIGNS = r"+\-\uff0b\uff0d"
_STARTS_FORMULA = (
    rf"\A(?=[{_PASSED_OVER}]*[{_CALLS}{_SIGNS}\t\r\n])"
    # Where the list separator is ";" (most of Europe), Excel splits this file at ";" and at line ends inside
    # quotes, so that a formula may begin there. A list of "- " lines stays as it is unless it calls or links.
    rf"|(?<=[;\r\n])(?=(?:(?![\r\n])[{_PASSED_OVER}])*(?:[{_CALLS}]|[{_SIGNS}][^;\r\n]*(?:\w\(|\|)))"
)
_FORMULA = re.compile(_STARTS_FORMULA)
#: NUL ends a cell in Excel, other controls are never intended, lone surrogates cannot be written as UTF-8.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

Cell = str | int


def write_csv(records: Iterable[Record], to: BinaryIO | TextIO) -> int:
    """Write *records* as a table that spreadsheets can open, and that runs no formula.

    It is UTF-8 with a byte-order mark (Excel takes anything else for cp1252), with CRLF as line ends and with cells
    quoted if they contain commas, quotes or line ends. Only the first picture of a row has columns; ``attempts`` is
    the number of tries that counted; ``extra`` is one JSON object, because the columns of JSONL are not known in
    advance.

    A manifest may come from others, and a spreadsheet would run a cell that begins with ``=``, ``+``, ``-`` or ``@``.
    Such a text gets an apostrophe in front, also after spaces and quotes, for full-width characters, and after a
    ``;`` or a line end where a spreadsheet may split. Our own numbers remain numbers; an unknown cost is an empty
    cell, never 0.

    Args:
        records: in the order of the table.
        to: a binary stream, or a text stream with ``newline=""``; it is flushed and left open.

    Returns:
        How many records were written.
    """
    if isinstance(to, io.TextIOBase):
        return _write(records, to)
    # Without detach(), the wrapper would close the caller's stream when it is garbage collected.
    text = io.TextIOWrapper(cast("BinaryIO", to), encoding="utf-8", newline="")
    try:
        return _write(records, text)
    finally:
        text.detach()


def neutral(text: str) -> str:
    """*text* as a cell that no spreadsheet runs, truncates or rejects."""
    if len(text) > CELL_LIMIT:
        text = text[:CELL_LIMIT] + _CUT
    return _FORMULA.sub("'", _UNWRITABLE.sub("\ufffd", text))


def _write(records: Iterable[Record], to: io.TextIOBase) -> int:
    to.write("\ufeff")
    table = csv.writer(to, lineterminator="\r\n")
    table.writerow(COLUMNS)
    count = 0
    for record in records:
        table.writerow(_cells(record))
        count += 1
    to.flush()
    return count


def _cells(record: Record) -> tuple[Cell, ...]:
    return (
        neutral(record.id),
        record.row,
        record.line,
        record.outcome.value,
        neutral(record.reason or ""),
        *_picture(record),
        neutral(record.prompt),
        neutral(record.model),
        neutral("|".join(picture.path for picture in record.inputs)),
        sum(attempt.counted for attempt in record.attempts),
        record.uncounted,
        record.attempts[-1].verdict.value if record.attempts else "",
        "" if record.cost_usd is None else f"{record.cost_usd:.6f}",
        neutral(record.settled_at),
        neutral(record.text or ""),
        neutral(_json(record.extra)),
    )


def _picture(record: Record) -> tuple[Cell, ...]:
    if not record.images:
        return ("", "", "", "", "")
    first = record.images[0]
    return (neutral(first.path), first.width, first.height, first.bytes, neutral(first.sha256))


def _json(extra: dict[str, Any]) -> str:
    if not extra:
        return ""
    # Parquet has dates and decimals, which json.dumps() could not write.
    return msgspec.json.encode(extra).decode("utf-8", "replace")
