"""What came of one row: the shape of ``results.jsonl``, where fields may be added, never changed; pure.

Times are ISO 8601 in UTC with ``Z``; money is US dollars; durations are seconds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from pipeline.attempt import Attempt
from pipeline.history import History


class Outcome(StrEnum):
    """How a row ended."""

    DONE = "done"
    BLOCKED = "blocked"
    FAILED = "failed"
    INVALID = "invalid"
    CANCELLED = "cancelled"


class InputPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was sent.

    Attributes:
        path: as the manifest names it; of a URL without user, password, and what in its query may be a signature.
        sha256: of the bytes that were read, before any conversion; ``None`` where none were.
        mime_type: of those bytes.
    """

    path: str
    sha256: str | None = None
    mime_type: str | None = None


class OutputPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A verified picture, stored untouched.

    Attributes:
        path: relative to the job folder.
        mime_type: by its bytes, whatever the API called it.
        width: in pixels.
        height: in pixels.
        bytes: its length.
        sha256: of its bytes.
    """

    path: str
    mime_type: str
    width: int
    height: int
    bytes: int
    sha256: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one row: the promise that nothing is lost (``records.md``).

    Attributes:
        id: the row's name; its number where the manifest gives none.
        row: its number, from 1, over the rows as they are sent (each repeat counts).
        line: its line in the manifest; the row's number where the format has no lines.
        outcome: how it ended.
        reason: ``None`` when done; else a short code, a colon and a sentence.
        images: the pictures; empty unless done.
        text: what the model said beside or in place of a picture.
        prompt: as it was put at the first try of the last round, its columns filled in.
        model: that was asked.
        model_version: that says it answered.
        inputs: the pictures that were sent.
        attempts: every counted try, and the last ten others.
        uncounted: how many attempts were not counted, those left out of *attempts* included.
        calls: requests whose body was begun.
        calls_unknown: those of them whose answer never came: they may have been paid for.
        cost_usd: of all attempts, as far as known; ``None`` where nothing is known.
        reused: the pictures were taken from an equal edit, at no cost.
        reused_from: where that was settled: ``<job>/<id>``.
        settled_at: when this was written.
        extra: the columns of the manifest that mean nothing to the program.
        notes: what is no fault and yet good to know, a sentence each.
    """

    id: str
    row: int
    line: int
    outcome: Outcome
    reason: str | None = None
    images: tuple[OutputPicture, ...] = ()
    text: str | None = None
    prompt: str = ""
    model: str = ""
    model_version: str | None = None
    inputs: tuple[InputPicture, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    uncounted: int = 0
    calls: int = 0
    calls_unknown: int = 0
    cost_usd: float | None = None
    reused: bool = False
    reused_from: str | None = None
    settled_at: str = ""
    extra: dict[str, Any] = {}
    notes: tuple[str, ...] = ()

    @property
    def code(self) -> str | None:
        """The short word that the reason begins with; ``None`` when done."""
        return self.reason.partition(":")[0] if self.reason else None

    def history(self) -> History:
        """What was tried, for a round in which the row is settled again: it counts against nothing any more."""
        made = max((attempt.n for attempt in self.attempts), default=0)
        return History(
            attempts=self.attempts,
            made=made,
            uncounted=self.uncounted,
            calls=self.calls,
            calls_unknown=self.calls_unknown,
            cost_usd=self.cost_usd,
            before=made,
            tries_before=made - self.uncounted,
        )
