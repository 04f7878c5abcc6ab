"""``results.csv``: one line a row, for people with Excel or LibreOffice; scripts read ``results.jsonl``."""

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

#: Excel cuts a cell at 32,767 characters and shifts the rest into the next line.
CELL_LIMIT = 32_000
_CUT = " … (shortened; complete in results.jsonl)"

#: What a spreadsheet passes over before it looks for a formula: spaces, quotes of every kind, the invisible.
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
#: NUL ends a cell in Excel, other controls are never meant, lone surrogates cannot be written as UTF-8.
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

Cell = str | int


def write_csv(records: Iterable[Record], to: BinaryIO | TextIO) -> int:
    """Write *records* as a table that a spreadsheet opens as it stands, and that starts no formula.

    UTF-8 with a byte-order mark (Excel takes anything else for cp1252), lines ended by CRLF, cells with
    commas, quotes or line ends quoted. Only the first picture of a row has columns; ``attempts`` counts the
    tries that counted; ``extra`` is one JSON object, since JSONL has no columns known beforehand.

    A manifest is written by others, and a cell that begins with ``=``, ``+``, ``-`` or ``@`` is run by the
    spreadsheet that opens it. Such a text gets an apostrophe in front, also behind spaces and quotes, for the
    full-width forms, and after a ``;`` or a line end where a spreadsheet may split. Numbers of ours stay
    numbers; a cost that is unknown is an empty cell, never 0.

    Args:
        records: in the order in which they shall stand.
        to: a binary stream, or a text stream with ``newline=""``; it is left open and flushed.

    Returns:
        How many records were written.
    """
    if isinstance(to, io.TextIOBase):
        return _write(records, to)
    # TextIOWrapper is closed with its last reference, and would close the caller's stream with it: detach.
    text = io.TextIOWrapper(cast("BinaryIO", to), encoding="utf-8", newline="")
    try:
        return _write(records, text)
    finally:
        text.detach()


def neutral(text: str) -> str:
    """*text* as a cell that no spreadsheet runs, writes halfway or chokes on."""
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
    # Dates and decimals come from Parquet; msgspec writes them, json.dumps would not.
    return msgspec.json.encode(extra).decode("utf-8", "replace")
