"""What is stored for a shard, and what follows from it for its rows; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.edit import Edit
from pipeline.history import History
from pipeline.record import Record
from pipeline.status import Totals


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """Put before a call, so that after a crash a call that may have been made is not mistaken for none.

    Attributes:
        history: what was tried before this call, so that a crash does not lose it.
        price: dollars that were reserved; ``None`` if unknown.
    """

    row: int
    n: int
    variant: Variant
    model: str
    started_at: str
    price: float | None = None
    history: History = History()


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a folded shard."""

    shard: int
    rows: int
    totals: Totals


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """A round in which the rows that are not done are settled again; *shards* have a plan for it."""

    number: int
    shards: list[int]
    opened_at: str


class OpenShard(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a shard that is not folded.

    Attributes:
        edits: the rows that are settled in its round.
        records: the records of those that are settled.
        intents: the last intent of each of the others, if its call has no known answer.
        tried: the history of each of the others, if its last call was answered.
        earlier: the records of the round before, by row.
    """

    number: int
    edits: list[Edit]
    records: dict[int, Record]
    intents: dict[int, Intent]
    tried: dict[int, History]
    earlier: dict[int, Record]

    def history(self, row: int) -> History:
        """What was tried for *row* before this process, including a call without a known answer."""
        if row in self.intents:
            return interrupted(self.intents[row])
        if row in self.tried:
            return self.tried[row]
        return self.earlier[row].history() if row in self.earlier else History()

    def settled(self) -> dict[int, Record]:
        """The current records: of this round, and of the round before for the rows that are not part of this one."""
        again = {edit.row for edit in self.edits}
        return {row: record for row, record in self.earlier.items() if row not in again} | self.records


def totals_of(records: Iterable[Record]) -> Totals:
    """The totals of *records*."""
    outcomes: dict[str, int] = {}
    verdicts: Counter[str] = Counter()
    calls = unknown = unpriced = 0
    cost = 0.0
    for record in records:
        outcomes[record.outcome] = outcomes.get(record.outcome, 0) + 1
        cost += record.cost_usd or 0.0
        calls += record.calls
        unknown += record.calls_unknown
        unpriced += _unpriced(record.attempts)
        verdicts.update(_verdicts(record))
    return Totals(
        outcomes=outcomes,
        verdicts=dict(verdicts),
        calls=calls,
        calls_unknown=unknown,
        calls_unpriced=unpriced,
        cost_usd=cost,
    )


def _verdicts(tried: Record | History) -> Counter[str]:
    """All attempts by verdict, those no longer listed included."""
    return Counter(attempt.verdict.value for attempt in tried.attempts) + Counter(tried.unlisted)


def _unpriced(attempts: Iterable[Attempt]) -> int:
    return sum(attempt.unpriced for attempt in attempts)


def found(opened: OpenShard) -> Totals:
    """The totals that earlier processes have left in an open shard: its records, and the calls of its other rows."""
    settled = opened.settled()
    totals = totals_of(settled.values())
    for history in (opened.history(edit.row) for edit in opened.edits if edit.row not in settled):
        totals += Totals(
            verdicts=dict(_verdicts(history)),
            calls=history.calls,
            calls_unknown=history.calls_unknown,
            calls_unpriced=_unpriced(history.attempts),
            cost_usd=history.cost_usd or 0.0,
        )
    return totals


def interrupted(intent: Intent) -> History:
    """The history of a row whose last call has no known answer."""
    return intent.history.after(
        Attempt(
            n=intent.n,
            started_at=intent.started_at,
            seconds=0.0,
            verdict=Verdict.INTERRUPTED,
            counted=False,
            prompt_variant=intent.variant,
            unknown=True,
            detail="the process ended before the answer was recorded",
        )
    )


def adopted(intent: Intent, *, usable: bool) -> History:
    """The history of a row whose last call has no known answer, but whose picture was found in the store."""
    return intent.history.after(
        Attempt(
            n=intent.n,
            started_at=intent.started_at,
            seconds=0.0,
            verdict=Verdict.IMAGE if usable else Verdict.BAD_IMAGE,
            counted=True,
            prompt_variant=intent.variant,
            detail="its picture was already stored",
        )
    )
