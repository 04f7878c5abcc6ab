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
    """The result of one row: the promise that nothing is lost (``records.md``).

    Attributes:
        id: the row's id; its number if the manifest gives none.
        row: the row's number, from 1; with ``--repeat`` each variation counts.
        line: the line in the manifest; the row's number if the format has no lines.
        outcome: how the row ended.
        reason: ``None`` when done; otherwise a short code, a colon and a sentence.
        images: the resulting pictures; empty unless done.
        text: what the model said, with or instead of a picture.
        prompt: the prompt with its columns filled in, as first sent; after ``retouch retry`` the one of the retry.
        model: the model that was called.
        model_version: the version that answered, as reported by the API.
        inputs: the pictures that were sent.
        attempts: every attempt that counted, and the last ten others.
        uncounted: the number of attempts that did not count, including those not in *attempts*.
        unlisted: the attempts not in *attempts*, by verdict.
        calls: the number of requests sent, even partly.
        calls_unknown: how many of them were never answered, and so may have been paid for.
        cost_usd: the known cost of all attempts; ``None`` if nothing is known.
        reused: whether the pictures were taken from an identical edit, at no cost.
        reused_from: the job and row of that edit: ``<job>/<id>``.
        settled_at: when the record was written.
        extra: your own columns of the manifest.
        notes: remarks that are not errors, one sentence each.
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
    unlisted: dict[str, int] = {}
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
            unlisted=self.unlisted,
            calls=self.calls,
            calls_unknown=self.calls_unknown,
            cost_usd=self.cost_usd,
            before=made,
            tries_before=made - self.uncounted,
        )
