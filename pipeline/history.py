"""What was tried for a row so far; pure."""

from __future__ import annotations

from collections import Counter

import msgspec

from pipeline.attempt import Attempt, Verdict

#: How many uncounted attempts are kept, the last ones; of those that counted, all are.
UNCOUNTED_KEPT = 10


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried for a row so far; part of every intent, so that a crash does not lose it.

    Attributes:
        attempts: every counted try and the last :data:`UNCOUNTED_KEPT` others, in order.
        unlisted: the attempts that are no longer kept, by verdict.
        made: the number of all attempts.
        uncounted: how many of them were not counted, including those that are no longer kept.
        calls: how many of them were calls.
        calls_unknown: how many calls were never answered, and so may have been paid for.
        cost_usd: the sum of the known costs; ``None`` if there were calls and no cost is known.
        overloads: how many attempts of this round found the API overloaded, including those no longer kept.
        waited: seconds of waiting that did not count as tries, without waits for a daily quota.
        before: how many of the attempts belong to earlier rounds, and no longer count against any limit.
        tries_before: how many of those were counted.
    """

    attempts: tuple[Attempt, ...] = ()
    unlisted: dict[str, int] = {}
    made: int = 0
    uncounted: int = 0
    calls: int = 0
    calls_unknown: int = 0
    cost_usd: float | None = 0.0
    overloads: int = 0
    waited: float = 0.0
    before: int = 0
    tries_before: int = 0

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
        kept, gone = _parted((*self.attempts, attempt))
        return msgspec.structs.replace(
            self,
            attempts=kept,
            unlisted=dict(Counter(self.unlisted) + Counter(old.verdict.value for old in gone)),
            made=self.made + 1,
            uncounted=self.uncounted + (not attempt.counted),
            calls=self.calls + attempt.begun,
            calls_unknown=self.calls_unknown + attempt.unknown,
            cost_usd=sum(costs) if costs else None,
            overloads=self.overloads + (attempt.verdict is Verdict.OVERLOADED),
        )

    def in_a_row(self, verdict: Verdict) -> int:
        """How many of the last attempts in a row came to *verdict*."""
        count = 0
        for attempt in reversed(self.recent):
            if attempt.verdict is not verdict:
                break
            count += 1
        return count


def _parted(attempts: tuple[Attempt, ...]) -> tuple[tuple[Attempt, ...], tuple[Attempt, ...]]:
    """The attempts that are kept, and the one before them that no longer is."""
    surplus = sum(not attempt.counted for attempt in attempts) - UNCOUNTED_KEPT
    if surplus <= 0:
        return attempts, ()
    oldest = next(index for index, attempt in enumerate(attempts) if not attempt.counted)
    return attempts[:oldest] + attempts[oldest + 1 :], (attempts[oldest],)
