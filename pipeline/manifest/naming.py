"""Ids and file names: unique in the job, ignoring case, and the same every time a manifest is read."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from pipeline.edit import Fault

#: Bytes of the longest file name without extension; leaves room for extension and suffixes on any disk.
LONGEST_NAME = 150
_HASHED = 16

#: The shortest result of cutting, which also removes an incomplete escape at the cut.
_SHORTEST_CUT = LONGEST_NAME - 2

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,146}")
_OUTSIDE = re.compile(r"^\.|[^A-Za-z0-9._-]")
_CUT = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)
_BROKEN_ESCAPE = re.compile(r"%[0-9A-F]?$")

#: Ids that could be mistaken for a row's number, or for one that had to give way.
LIKE_NUMBER = re.compile(r"[1-9][0-9]*(-[1-9][0-9]*)?")


def file_name(label: str) -> str:
    """*label* as a file name: different labels give different names, none of them hidden or too long.

    ``%`` is not in the alphabet, so that encoding cannot make two labels equal. For the same reason, a label that
    happens to look like a cut one (as long, with a hash at its end) is cut as well.
    """
    if _PLAIN.fullmatch(label):
        return label
    encoded = _OUTSIDE.sub(_escaped, label)
    looks_cut = len(encoded) >= _SHORTEST_CUT and _CUT.fullmatch(encoded)
    if len(encoded) <= LONGEST_NAME and not looks_cut:
        return encoded
    digest = blake2b(_bytes(label), digest_size=_HASHED // 2).hexdigest()
    return _BROKEN_ESCAPE.sub("", encoded[: LONGEST_NAME - _HASHED - 1]) + "-" + digest


def _escaped(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in _bytes(character[0]))


def _bytes(text: str) -> bytes:
    # A lone surrogate must not crash the program, wherever it comes from.
    return text.encode("utf-8", "surrogatepass")


class Labels:
    """Which labels have occurred, ignoring case, and in which line.

    A million ids must fit into the memory of a small process: 64-bit digests in a hash table take 12 bytes per slot
    (25 MB per million), whereas a dict of strings takes 150 MB. Two of a million labels have the same digest once in
    37 million jobs; the later row would then be taken for a duplicate.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mask = 1023
        self._keys = array("Q", bytes(8 * 1024))
        self._lines = array("I", bytes(4 * 1024))

    def line_of(self, label: str) -> int | None:
        """The line of the first *label*; ``None`` if it has not occurred."""
        key = _digest(label)
        slot = self._slot(key)
        return self._lines[slot] if self._keys[slot] == key else None

    def add(self, label: str, line: int) -> int | None:
        """Add *label*; if it has occurred already, return the line where it did instead."""
        key = _digest(label)
        slot = self._slot(key)
        if self._keys[slot] == key:
            return self._lines[slot]
        self._put(slot, key, min(line, 0xFFFFFFFF))
        return None

    def copy(self) -> Labels:
        """Another table with the same labels."""
        other = Labels()
        other._count, other._mask = self._count, self._mask
        other._keys, other._lines = self._keys[:], self._lines[:]
        return other

    def _slot(self, key: int) -> int:
        keys, mask = self._keys, self._mask
        slot = key & mask
        while keys[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _put(self, slot: int, key: int, line: int) -> None:
        self._keys[slot] = key
        self._lines[slot] = line
        self._count += 1
        if self._count * 3 > self._mask * 2:
            self._grow()

    def _grow(self) -> None:
        keys, lines = self._keys, self._lines
        size = 2 * len(keys)
        self._mask = size - 1
        self._keys = array("Q", bytes(8 * size))
        self._lines = array("I", bytes(4 * size))
        for key, line in zip(keys, lines, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot] = key
                self._lines[slot] = line


def _digest(label: str) -> int:
    # Zero marks a free slot.
    return int.from_bytes(blake2b(_bytes(label.casefold()), digest_size=8).digest()) or 1


class Named(msgspec.Struct, frozen=True):
    """A row's *id*, and the *label* that becomes its file name."""

    id: str
    label: str
    faults: tuple[Fault, ...] = ()


class Register:
    """Assigns ids and labels to rows, in the manifest's order.

    Args:
        reserved: returns all explicit ids of the manifest that are :data:`LIKE_NUMBER`, even of later rows: a row's
            number gives way to them. Called at the first row without an id, because it reads the manifest.
    """

    def __init__(self, reserved: Callable[[], Labels]) -> None:
        self._find_reserved = reserved
        self._reserved: Labels | None = None
        self._ids = Labels()
        #: Until a row has an ``output``, labels are ids, and one table is enough for both.
        self._labels = self._ids

    def admit(self, row: int, line: int, explicit: str | None, output: str | None) -> Named:
        """The names of data row *row*; a duplicate is a fault, and is replaced by ``…~row<row>``."""
        faults: list[Fault] = []
        if output is not None and self._labels is self._ids:
            self._labels = self._ids.copy()
        identity = self._identity(row, line, explicit, faults)
        label = identity
        if self._labels is not self._ids:
            label = self._label(row, line, identity, output, faults, yields=explicit is None)
        return Named(identity, label, tuple(faults))

    def _identity(self, row: int, line: int, explicit: str | None, faults: list[Fault]) -> str:
        if explicit is None:
            return self._number(row, line)
        first = self._ids.add(explicit, line)
        if first is None:
            return explicit
        message = (
            f"id {_short(explicit)} is already the id of the row in line {first}; give each row its own."
        )
        faults.append(Fault(code="duplicate_id", message=message, column="id"))
        return _kept(_free(f"{explicit}~row{row}", self._ids), self._ids, line)

    def _number(self, row: int, line: int) -> str:
        if self._reserved is None:
            self._reserved = self._find_reserved()
        return _kept(_free(str(row), self._reserved), self._ids, line)

    def _label(
        self, row: int, line: int, identity: str, output: str | None, faults: list[Fault], *, yields: bool
    ) -> str:
        wanted = identity if output is None else output
        first = self._labels.add(wanted, line)
        if first is None:
            return wanted
        if output is None and yields:
            # Nobody chose the number, so it is not a fault.
            return _kept(_free(wanted, self._labels), self._labels, line)
        message = (
            f"the file name {_short(wanted)} is already taken by the row in line {first}; choose another."
        )
        column = "id" if output is None else "output"
        faults.append(Fault(code="duplicate_output", message=message, column=column))
        return _kept(_free(f"{wanted}~row{row}", self._labels), self._labels, line)


def _kept(label: str, labels: Labels, line: int) -> str:
    labels.add(label, line)
    return label


def _free(wanted: str, taken: Labels) -> str:
    """*wanted*, or if it is *taken*, with the first of ``-2``, ``-3``, … that is not."""
    label, n = wanted, 1
    while taken.line_of(label) is not None:
        n += 1
        label = f"{wanted}-{n}"
    return label


def _short(label: str) -> str:
    return f'"{label}"' if len(label) <= 60 else f'"{label[:57]}…"'
