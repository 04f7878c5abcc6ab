"""JSONL: one object per line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.edit import Fault
from pipeline.errors import ManifestError
from pipeline.manifest import columns
from pipeline.manifest.file import LONGEST, File, Fingerprint, bad_byte, bad_byte_message, without_bad_bytes
from pipeline.manifest.reader import Raw, unreadable

#: A key that ends in "id"; without one, a line has no id unless it contains an escape.
_ID_KEY = re.compile(r'id\s*"\s*:', re.IGNORECASE)

_decode = msgspec.json.Decoder().decode


class JsonLines:
    """Reader of JSON lines, from a file or from spooled standard input."""

    notes: tuple[str, ...] = ()

    def __init__(self, file: File) -> None:
        self._file = file
        #: The canonical form of each key so far; limited, in case every row has other keys.
        self._spellings: dict[str, str] = {}

    def rows(self) -> Iterator[Raw]:
        first = True
        for number, line in enumerate(self._file.lines(), 1):
            if line.isspace():
                continue
            if first:
                self._refuse_other_json(line)
                first = False
            yield self._row(number, line)

    def ids(self) -> Iterator[object]:
        for line in self._file.lines():
            # Most lines without an id are recognised without decoding them.
            if "\\" in line or _ID_KEY.search(line):
                yield self._row(0, line).cells.get("id")

    def fingerprint(self) -> Fingerprint:
        return self._file.fingerprint()

    def _refuse_other_json(self, line: str) -> None:
        start = line.strip()
        if start.startswith("["):
            raise ManifestError(
                f"{self._file.shown} starts with a JSON array, not with an object: write one object a line "
                "(jq -c '.[]' old.json > new.jsonl)."
            )
        if start == "{":
            raise ManifestError(
                f"{self._file.shown} spreads an object over several lines: write one object a line "
                "(jq -c . old.json > new.jsonl)."
            )
        names = {columns.canonical(name.strip('"')) for name in re.split("[,;\t]", start)}
        if not start.startswith("{") and names & columns.KNOWN:
            raise ManifestError(
                f"{self._file.shown} begins like CSV ({start[:60]}): give it as a .csv file by its name, or write "
                "one JSON object a line."
            )

    def _row(self, number: int, line: str) -> Raw:
        if len(line) > LONGEST:
            message = f"the line is longer than {LONGEST} characters; shorten it."
            return unreadable(number, "too_long", message)
        byte = bad_byte(line)
        if byte is not None:
            fault = Fault(code="bad_encoding", message=bad_byte_message(byte), line=number)
            return self._object(number, without_bad_bytes(line), (fault,))
        return self._object(number, line, ())

    def _object(self, number: int, line: str, faults: tuple[Fault, ...]) -> Raw:
        try:
            value = _loads(line)
        except (ValueError, RecursionError) as error:
            return unreadable(number, "bad_json", f"the line is not JSON ({error}); write one object a line.")
        if not isinstance(value, dict):
            message = 'the line is not an object; write {"image": …, "prompt": …}.'
            return unreadable(number, "bad_json", message)
        cells = {self._spelling(key): cell for key, cell in value.items()}
        if len(cells) < len(value):
            again = columns.listed(columns.repeated([key.strip() for key in value]))
            message = f"two keys are both {again}, apart from case and spaces; remove one."
            faults = (*faults, Fault(code="duplicate_column", message=message, line=number))
        return Raw(number, cells, faults)

    def _spelling(self, key: str) -> str:
        spelling = self._spellings.get(key)
        if spelling is None:
            spelling = columns.canonical(key)
            if len(self._spellings) < 1000:
                self._spellings[key] = spelling
        return spelling


def _loads(line: str) -> Any:
    try:
        return _decode(line)
    except msgspec.DecodeError:
        if "NaN" not in line and "Infinity" not in line:
            raise
        # Python's json module writes these, though they are not JSON; they mean "no value". The round trip through
        # msgspec ensures that the result can be written again.
        return _decode(msgspec.json.encode(json.loads(line, parse_constant=lambda _: None)))
