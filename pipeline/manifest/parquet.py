"""Parquet, streamed batch by batch."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from pipeline.errors import ManifestError
from pipeline.manifest import columns
from pipeline.manifest.file import File, Fingerprint
from pipeline.manifest.reader import Raw

#: Rows held at a time; with a few hundred bytes of text per row, a batch has about a megabyte.
_BATCH = 2048
_READ_AHEAD = 1 << 20


class Parquet:
    """Reader of a Parquet file. Columns that contain bytes are skipped, because they cannot be part of a record."""

    def __init__(self, file: File, prompt: str | None) -> None:
        self._file = file
        with self._table() as table:
            schema = table.schema_arrow
            binary = [field.name for field in schema if _holds_bytes(field.type)]
            names = [columns.canonical(name) for name in schema.names]
        for name in binary:
            if columns.canonical(name) in columns.KNOWN:
                raise ManifestError(f"{file.shown}: column {name} holds bytes; write text, such as paths.")
        columns.check_header(names, file.shown, prompt)
        self._columns = [name for name in schema.names if name not in binary]
        self.notes = tuple(f"{file.shown}: column {name} holds bytes and is not carried." for name in binary)

    def rows(self) -> Iterator[Raw]:
        names = [columns.canonical(name) for name in self._columns]
        for number, values in enumerate(self._values(self._columns), 1):
            yield Raw(number, dict(zip(names, values, strict=True)))

    def ids(self) -> Iterator[object]:
        chosen = [name for name in self._columns if columns.canonical(name) == "id"]
        return (values[0] for values in self._values(chosen)) if chosen else iter(())

    def fingerprint(self) -> Fingerprint:
        return self._file.fingerprint()

    def _values(self, chosen: list[str]) -> Iterator[tuple[Any, ...]]:
        with self._table() as table:
            # One thread: reading ahead would keep several row groups in memory, and rows are needed slowly anyway.
            for batch in table.iter_batches(batch_size=_BATCH, columns=chosen, use_threads=False):
                yield from zip(*(_plain_column(column) for column in batch.columns), strict=True)

    @contextmanager
    def _table(self) -> Iterator[Any]:
        # Imported late: it takes 60 MB and a quarter of a second, which only this format needs.
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        try:
            with pq.ParquetFile(self._file.path, buffer_size=_READ_AHEAD, pre_buffer=False) as table:
                yield table
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            # ValueError: text that is not UTF-8, and dates that Python cannot hold.
            what = str(error).strip().split("\n")[0].rstrip(".")
            raise ManifestError(f"{self._file.shown} is not a readable Parquet file: {what}.") from error


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as kinds  # noqa: PLC0415

    tests = (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary, kinds.is_binary_view)
    if any(test(kind) for test in tests):
        return True
    if kinds.is_dictionary(kind):
        return _holds_bytes(kind.value_type)
    return any(_holds_bytes(kind.field(index).type) for index in range(kind.num_fields))


def _plain_column(column: Any) -> list[Any]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.types as kinds  # noqa: PLC0415

    kind = column.type
    if kinds.is_timestamp(kind) and kind.unit == "ns":
        # Python's times are limited to microseconds, and pyarrow refuses to truncate by itself.
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    values: list[Any] = column.to_pylist()
    if (
        kinds.is_string(kind)
        or kinds.is_large_string(kind)
        or kinds.is_integer(kind)
        or kinds.is_boolean(kind)
    ):
        return values
    return [plain(value) for value in values]


def plain(value: Any) -> Any:
    """*value* as in JSON: dates in ISO 8601, decimals and other exact values as text, NaN as null."""
    match value:
        case None | str() | int():
            found: Any = value
        case float():
            found = value if math.isfinite(value) else None
        case dt.date() | dt.time():  # a datetime is a date
            found = value.isoformat()
        case dt.timedelta():
            found = value.total_seconds()
        case list() | tuple():
            found = [plain(item) for item in value]
        case dict():
            found = {str(key): plain(item) for key, item in value.items()}
        case Decimal():
            found = format(value, "f")
        case _:
            found = str(value)
    return found
