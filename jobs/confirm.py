"""The question before money is spent: when it is asked, and how."""

from __future__ import annotations

from jobs.live import View
from pipeline.errors import UsageError
from pipeline.price import Cost
from pipeline.report.words import money


def confirmed(view: View, what: str, cost: Cost, above: float | None, budget: float | None = None) -> bool:
    """Whether *what* may be done at *cost*; the user is asked if more than *above* may be spent on it.

    Waits for the answer, so call it in a thread. An unknown price is mentioned, but only known prices decide whether
    to ask.

    Args:
        view: where to ask.
        what: such as ``12 rows``.
        cost: the estimate.
        above: ``--confirm-above``; ``None``: ``--yes`` was given.
        budget: dollars that may be spent at most; ``None``: no limit.

    Raises:
        UsageError: there is no terminal to ask at.
    """
    if not cost.whole:
        view.say("The price of a model is not known, so the cost cannot be estimated.")
    if not must_ask(cost, above, budget):
        return True
    at_most = _at_most(cost, budget)
    bound = f", bounded by the budget to {money(at_most)}" if at_most < cost.known_usd else ""
    question = f"{what}, {in_words(cost)}{bound}. Continue?"
    answer = view.ask(question)
    if answer is None:
        mend = "pass --yes, raise --confirm-above, or set a --budget"
        raise UsageError(f"{question} There is no terminal to ask on: {mend}")
    return answer


def must_ask(cost: Cost, above: float | None, budget: float | None) -> bool:
    """Whether more than *above* may be spent on what *cost* estimates; arguments as for :func:`confirmed`."""
    return above is not None and _at_most(cost, budget) > above


def in_words(cost: Cost) -> str:
    """``about $12.00``; ``at least $12.00`` where some price is not known."""
    return f"{'about' if cost.whole else 'at least'} {money(cost.known_usd)}"


def _at_most(cost: Cost, budget: float | None) -> float:
    return cost.known_usd if budget is None else min(cost.known_usd, budget)
