"""The question before money is spent, which ``run``, ``submit`` and ``retry`` ask alike."""

from __future__ import annotations

from jobs.live import View
from pipeline.errors import UsageError
from pipeline.report.words import money


def confirmed(
    view: View, what: str, cost_usd: float | None, above: float | None, budget: float | None = None
) -> bool:
    """Whether *what* may be done at *cost_usd*; a person is asked where more than *above* may be spent on it.

    Waits for the answer, so call it in a thread. A cost that is not known is said, and not asked about.

    Args:
        view: where there may be a person.
        what: such as ``12 rows``.
        cost_usd: dollars by the estimate; ``None``: unknown.
        above: ``--confirm-above``; ``None``: ``--yes`` has answered.
        budget: dollars that may be spent at most, whatever it costs; ``None``: not bounded.

    Raises:
        UsageError: there is nobody to ask.
    """
    if cost_usd is None:
        view.say("The price of a model is not known, so that the cost cannot be estimated.")
        return True
    at_most = cost_usd if budget is None else min(cost_usd, budget)
    if above is None or at_most <= above:
        return True
    bound = f", bounded by the budget to {money(at_most)}" if at_most < cost_usd else ""
    question = f"{what}, about {money(cost_usd)}{bound}. Go on?"
    answer = view.ask(question)
    if answer is None:
        raise UsageError(
            f"{question} There is no terminal to ask on: say --yes, raise --confirm-above, or bound it by --budget"
        )
    return answer
