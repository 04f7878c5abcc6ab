"""The values that everything speaks of; pure, frozen, and written to JSON by msgspec as they stand.

The shapes of :class:`Record` and :class:`Status` are ``contract.md``'s; fields may be added, never changed.
Times are ISO 8601 in UTC with ``Z``; money is US dollars; durations are seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec


def utc(moment: float) -> str:
    """*moment* (seconds since the epoch) as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Outcome(StrEnum):
    """How a row ended."""

    DONE = "done"
    BLOCKED = "blocked"
    FAILED = "failed"
    INVALID = "invalid"
    CANCELLED = "cancelled"


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting"
    HALTED = "halted"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class Verdict(StrEnum):
    """What one answer (or its absence) was; the closed set of ``contract.md``, and ``interrupted``."""

    IMAGE = "image"
    BAD_IMAGE = "bad_image"
    UNCHANGED = "unchanged"
    TRUNCATED = "truncated"
    TEXT_ONLY = "text_only"
    TEXT = "text"
    NO_IMAGE = "no_image"
    BLOCKED = "blocked"
    NETWORK = "network"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    INVALID_REQUEST = "invalid_request"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    #: The process died between the intent and the record: the call may have been paid for.
    INTERRUPTED = "interrupted"


class Variant(StrEnum):
    """How the prompt was put in a try."""

    PLAIN = "plain"
    EXPLICIT = "explicit"
    IMAGE_ONLY = "image_only"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong in the manifest.

    Attributes:
        code: a short word for it, for scripts.
        message: what is wrong and how to mend it.
        row: the row's number, from 1; ``None``: the whole manifest is meant.
        line: the line in the file.
        column: that is at fault; an option where its name begins with ``--``.
    """

    code: str
    message: str
    row: int | None = None
    line: int | None = None
    column: str | None = None


class Edit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row of a manifest, numbered and normalised; what a shard's plan holds.

    Attributes:
        row: the internal key, counted from 1 over the rows as they are sent (each repeat counts).
        line: the line in the manifest file; the row's number where the format has no lines.
        id: the row's name, for people.
        name: file name of the result without extension; unique in the job, safe on every file system.
        images: paths or URLs as the manifest gives them, ``/`` as separator; empty: generate.
        prompt: the text with its ``{columns}`` filled in.
        model: this row's own model, ``None``: the job's; likewise *aspect_ratio* and *image_size*.
        extra: the other columns.
        faults: what makes the row invalid; a row with faults is never sent.
    """

    row: int
    line: int
    id: str
    name: str
    prompt: str = ""
    images: tuple[str, ...] = ()
    model: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    extra: dict[str, Any] = {}
    faults: tuple[Fault, ...] = ()


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one call by kind, as the API counted it (gemini-api.md 3.5).

    Attributes:
        input: the prompt and the pictures that were sent.
        output_text: text that came back.
        output_image: pictures that came back, drafts included.
        thoughts: what the model thought.
        total: of all kinds, as the API says.
    """

    input: int = 0
    output_text: int = 0
    output_image: int = 0
    thoughts: int = 0
    total: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call, or one that was never begun because the connection failed.

    Attributes:
        n: number of the attempt in its row, from 1, counted or not.
        started_at: when the call was begun.
        seconds: from its begin to the end of the answer.
        verdict: what came back.
        counted: whether it used up one of the row's tries.
        prompt_variant: how the prompt was put.
        http_status: of the answer; ``None`` where none came.
        finish_reason: the API's word for why the model stopped, or why it refused the prompt.
        step: always ``edit``.
        lane: always ``sync``: an answer at once.
        tokens: ``None`` where the answer does not say.
        unknown: the request was sent and its answer never came, so that it may have been paid for.
        cost_usd: ``None`` where the price or the outcome is unknown; 0 where the API surely charged nothing.
        begun: the request's body was begun, so that this was a call.
        detail: what the API said, shortened; never a key, never a prompt.
    """

    n: int
    started_at: str
    seconds: float
    verdict: Verdict
    counted: bool
    prompt_variant: Variant
    http_status: int | None = None
    finish_reason: str | None = None
    step: str = "edit"
    lane: str = "sync"
    tokens: Tokens | None = None
    cost_usd: float | None = None
    unknown: bool = False
    begun: bool = True
    detail: str | None = None

    @property
    def unpriced(self) -> bool:
        """Whether it was answered, and nobody knows at what price."""
        return self.begun and not self.unknown and self.cost_usd is None


#: A record holds every counted try, and of the others the last so many.
UNCOUNTED_KEPT = 10


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried for one row so far; carried by every intent, so that a crash forgets nothing.

    Attributes:
        attempts: every counted try and the last :data:`UNCOUNTED_KEPT` others, in order.
        uncounted: how many were not counted, those that are no longer kept included.
        cost_usd: sum of the known costs; ``None`` while calls were made and no cost is known.
        waited: seconds spent on waits that are not counted, except for a day's quota.
        before: attempts of earlier rounds; they are history, and count against nothing any more.
        tries_before: those of them that were counted.
    """

    attempts: tuple[Attempt, ...] = ()
    made: int = 0
    uncounted: int = 0
    calls: int = 0
    calls_unknown: int = 0
    cost_usd: float | None = 0.0
    waited: float = 0.0
    before: int = 0
    tries_before: int = 0

    @classmethod
    def of(cls, record: Record) -> History:
        """The history of a settled row that is to be settled again, as :class:`pipeline.job.rounds` does."""
        made = max((attempt.n for attempt in record.attempts), default=0)
        return cls(
            attempts=record.attempts,
            made=made,
            uncounted=record.uncounted,
            calls=record.calls,
            calls_unknown=record.calls_unknown,
            cost_usd=record.cost_usd,
            before=made,
            tries_before=made - record.uncounted,
        )

    @property
    def tries(self) -> int:
        """Counted tries of this round."""
        return self.made - self.uncounted - self.tries_before

    @property
    def recent(self) -> tuple[Attempt, ...]:
        """The attempts of this round that are kept."""
        return tuple(attempt for attempt in self.attempts if attempt.n > self.before)

    def after(self, attempt: Attempt) -> History:
        """This history and one more *attempt*."""
        known = self.cost_usd if self.calls else None
        costs = [cost for cost in (known, attempt.cost_usd) if cost is not None]
        return msgspec.structs.replace(
            self,
            attempts=_kept((*self.attempts, attempt)),
            made=self.made + 1,
            uncounted=self.uncounted + (not attempt.counted),
            calls=self.calls + attempt.begun,
            calls_unknown=self.calls_unknown + attempt.unknown,
            cost_usd=sum(costs) if costs else None,
        )

    def in_a_row(self, verdict: Verdict) -> int:
        """How many of the last attempts in a row came to *verdict*."""
        count = 0
        for attempt in reversed(self.recent):
            if attempt.verdict is not verdict:
                break
            count += 1
        return count


def _kept(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    surplus = sum(not attempt.counted for attempt in attempts) - UNCOUNTED_KEPT
    if surplus <= 0:
        return attempts
    oldest = next(index for index, attempt in enumerate(attempts) if not attempt.counted)
    return attempts[:oldest] + attempts[oldest + 1 :]


class InputPicture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was sent.

    Attributes:
        path: as the manifest names it; of a URL without its query.
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
    """What came of one row: the promise that nothing is lost. ``contract.md``, "A row's record".

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


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over settled rows: of one shard, or of a job. Adding and subtracting is all they do.

    *cost_usd* is the sum of what is known; *calls_unpriced* counts answered calls of which nobody knows the price.
    """

    outcomes: dict[str, int] = {}
    verdicts: dict[str, int] = {}
    calls: int = 0
    calls_unknown: int = 0
    calls_unpriced: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            outcomes=_added(self.outcomes, other.outcomes),
            verdicts=_added(self.verdicts, other.verdicts),
            calls=self.calls + other.calls,
            calls_unknown=self.calls_unknown + other.calls_unknown,
            calls_unpriced=self.calls_unpriced + other.calls_unpriced,
            cost_usd=self.cost_usd + other.cost_usd,
        )

    @property
    def settled(self) -> int:
        """How many rows these sums speak of."""
        return sum(self.outcomes.values())


def _added(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
    return {key: left.get(key, 0) + right.get(key, 0) for key in left | right}


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The status object of ``contract.md``.

    Attributes:
        job: its id.
        out: its folder, a path or a URL.
        state: where it stands.
        state_reason: why it stands still, in one sentence with its mend.
        rows: of the manifest; ``None`` until it is read.
        outcomes: rows by outcome: always all five, and ``pending`` for those that are not settled.
        calls: requests whose body was begun.
        calls_unknown: those of them whose answer never came: they may have been paid for.
        calls_unpriced: those that were answered, and nobody knows at what price.
        verdicts: attempts by verdict.
        in_flight: calls that are made just now.
        cost_usd: the sum of what is known; ``None`` where nothing is.
        images_per_minute: pictures of the last minute.
        eta_seconds: until the last row is settled, at that pace.
        submitted_at: when it was made.
        started_at: when its first row was begun.
        finished_at: when it ended.
    """

    job: str
    out: str
    state: State
    state_reason: str | None = None
    rows: int | None = None
    outcomes: dict[str, int | None] = {}
    calls: int = 0
    calls_unknown: int = 0
    calls_unpriced: int = 0
    verdicts: dict[str, int] = {}
    in_flight: int = 0
    cost_usd: float | None = 0.0
    images_per_minute: float | None = None
    eta_seconds: float | None = None
    submitted_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
