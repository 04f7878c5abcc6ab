"""Counts records as they are streamed, for the summary, without keeping them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pipeline.record import Outcome, Record

#: There are few reasons; but a bug that makes them all different must not fill the memory.
MAX_GROUPS = 100
LINKS = 8
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,60}\Z")


@dataclass(slots=True)
class Mention:
    """An example of a group, with its position on the pages of its outcome."""

    row: int
    id: str
    index: int


@dataclass(slots=True)
class Group:
    """Rows with the same reason, by its code."""

    code: str
    example: str
    count: int = 0
    first: list[Mention] = field(default_factory=list)

    def add(self, record: Record, index: int) -> None:
        """Count *record*, the *index*-th of its outcome, and mention it while there are few."""
        self.count += 1
        if len(self.first) < LINKS:
            self.first.append(Mention(record.row, record.id, index))


@dataclass(slots=True)
class Tally:
    """Counts of the records so far."""

    rows: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    groups: dict[Outcome, dict[str, Group]] = field(default_factory=lambda: {o: {} for o in Outcome})
    pictures: int = 0
    reused: int = 0
    unpriced: int = 0

    def add(self, record: Record) -> None:
        """Count *record*."""
        index = self.rows[record.outcome]
        self.rows[record.outcome] = index + 1
        if record.outcome is Outcome.DONE:
            self.pictures += len(record.images)
        else:
            self._group(record).add(record, index)
        self.reused += record.reused
        self.unpriced += record.cost_usd is None and bool(record.attempts)

    def ranked(self, outcome: Outcome) -> list[Group]:
        """The groups of *outcome*, the largest first."""
        return sorted(self.groups[outcome].values(), key=lambda group: (-group.count, group.code))

    @property
    def total(self) -> int:
        """The number of records."""
        return sum(self.rows.values())

    def _group(self, record: Record) -> Group:
        groups = self.groups[record.outcome]
        code, sentence = parted(record.reason)
        if code not in groups and len(groups) >= MAX_GROUPS:
            code, sentence = "other", "reasons of many kinds; see the rows"
        return groups.setdefault(code, Group(code, sentence))


def parted(reason: str | None) -> tuple[str, str]:
    """The code and the sentence of a reason."""
    code, colon, sentence = (reason or "").partition(":")
    if colon and _CODE.match(code):
        return code, sentence.strip()
    return ("no reason given", "") if not reason else ("other", reason)
