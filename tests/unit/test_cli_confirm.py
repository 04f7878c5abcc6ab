"""When a person is asked before money is spent. No test has a terminal, so that a question is an error."""

import pytest

from jobs.confirm import confirmed
from jobs.live import Lines
from pipeline.errors import UsageError
from pipeline.price import Cost, cost_left, cost_of


@pytest.mark.parametrize(
    ("cost", "above", "budget"),
    [
        (10.0, 10.0, None),
        (40.0, None, None),
        (40.0, 10.0, 10.0),
        (40.0, 10.0, 0.5),
        (40.0, 0.0, 0.0),
    ],
)
def test_what_cannot_cost_more_is_not_asked_about(cost, above, budget):
    assert confirmed(Lines(), "12 rows", Cost(cost), above, budget) is True


@pytest.mark.parametrize(
    ("budget", "question"),
    [
        (None, r"12 rows, about \$40\.00\. Continue\?"),
        (50.0, r"12 rows, about \$40\.00\. Continue\?"),
        (20.0, r"12 rows, about \$40\.00, bounded by the budget to \$20\.00\. Continue\?"),
    ],
)
def test_more_is_asked_about(budget, question):
    with pytest.raises(UsageError, match=rf"{question} There is no terminal.*--yes.*--budget"):
        confirmed(Lines(), "12 rows", Cost(40.0), 10.0, budget)


def test_a_price_that_is_not_known_is_said_and_hides_no_other(capsys):
    assert confirmed(Lines(), "12 rows", cost_of([5.0, None, 5.0]), 10.0) is True
    assert "price of a model is not known" in capsys.readouterr().err

    with pytest.raises(UsageError, match=r"12 rows, at least \$15\.00\. Continue\?"):
        confirmed(Lines(), "12 rows", cost_left(cost_of([10.0, None, 20.0]), 4, 2), 10.0)
