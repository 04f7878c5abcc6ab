from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.history import UNCOUNTED_KEPT, History
from pipeline.status import Totals
from pipeline.timestamp import utc


def attempt(n: int, *, counted: bool, cost: float | None = 0.0, unknown: bool = False) -> Attempt:
    return Attempt(
        n=n,
        started_at=utc(0),
        seconds=0.5,
        verdict=Verdict.TEXT_ONLY if counted else Verdict.THROTTLED,
        counted=counted,
        prompt_variant=Variant.PLAIN,
        cost_usd=cost,
        unknown=unknown,
    )


@given(st.lists(st.booleans(), max_size=60))
def test_a_history_keeps_every_counted_try_and_the_last_ten_others(kinds):
    history = History()
    for n, counted in enumerate(kinds, 1):
        history = history.after(attempt(n, counted=counted))

    others = [n for n, counted in enumerate(kinds, 1) if not counted]
    kept = sorted([n for n, counted in enumerate(kinds, 1) if counted] + others[-UNCOUNTED_KEPT:])
    assert [kept_attempt.n for kept_attempt in history.attempts] == kept
    assert history.made == len(kinds)
    assert history.uncounted == len(others)
    assert sum(history.unlisted.values()) == max(0, len(others) - UNCOUNTED_KEPT)
    assert set(history.unlisted) <= {Verdict.THROTTLED.value}
    assert history.tries == sum(kinds)
    assert history.calls == len(kinds)


@pytest.mark.parametrize(
    ("costs", "total"),
    [
        ([], 0.0),
        ([None], None),
        ([None, None], None),
        ([None, 0.5], 0.5),
        ([0.25, None, 0.5], 0.75),
        ([0.0], 0.0),
    ],
)
def test_a_cost_is_unknown_until_one_is_known(costs, total):
    history = History()
    for n, cost in enumerate(costs, 1):
        history = history.after(attempt(n, counted=True, cost=cost))

    assert history.cost_usd == total


def test_a_call_that_was_never_begun_is_no_call():
    never = Attempt(
        n=1,
        started_at=utc(0),
        seconds=0.1,
        verdict=Verdict.NETWORK,
        counted=False,
        prompt_variant=Variant.PLAIN,
        begun=False,
        cost_usd=0.0,
    )
    history = History().after(never)

    assert (history.calls, history.made, history.cost_usd) == (0, 1, 0.0)


def test_totals_add_by_name():
    left = Totals(outcomes={"done": 1}, verdicts={"image": 1}, calls=1, cost_usd=0.5)
    right = Totals(outcomes={"done": 2, "failed": 1}, verdicts={"text_only": 3}, calls=5, calls_unknown=1)

    both = left + right

    assert both.outcomes == {"done": 3, "failed": 1}
    assert both.verdicts == {"image": 1, "text_only": 3}
    assert (both.calls, both.calls_unknown, both.cost_usd, both.settled) == (6, 1, 0.5, 4)


def test_times_are_in_utc_with_a_z():
    assert utc(0) == "1970-01-01T00:00:00.000Z"
