"""A job's status in words, for terminals; pure.

Figures are written as the report writes them (:mod:`pipeline.report.words`).
"""

from __future__ import annotations

from pipeline.attempt import Verdict
from pipeline.engine.brake import over_budget
from pipeline.record import Outcome
from pipeline.report.words import money, number, plural
from pipeline.status import ENDED, State, Status

#: States that a job does not leave by itself.
STOPPED = ENDED | {State.HALTED, State.PAUSED}

#: The outcomes other than done, in the order in which they are shown.
NOT_DONE = (Outcome.BLOCKED, Outcome.FAILED, Outcome.INVALID, Outcome.CANCELLED)


def duration(seconds: float) -> str:
    """A time to wait, in at most two units: ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days {hours % 24} h"


def settled(status: Status) -> int:
    """How many rows are settled."""
    return sum(status.outcomes.get(outcome.value) or 0 for outcome in Outcome)


def share_settled(status: Status) -> float | None:
    """The share of rows that are settled, from 0 to 1; ``None`` until the manifest is read."""
    if status.rows is None:
        return None
    return settled(status) / status.rows if status.rows else 1.0


def rows_line(status: Status) -> str:
    """``1,234 of 10,000 rows (12 %)``."""
    if status.rows is None:
        return f"{plural(settled(status), 'row')}; the manifest is still being read"
    # Rounded down, so that only a whole job has 100 %.
    percent = int(100 * (share_settled(status) or 0))
    return f"{settled(status):,} of {plural(status.rows, 'row')} ({percent} %)"


def pace_line(status: Status) -> str:
    """Calls in flight, uploads, pictures a minute, cost so far, time left: those that say something now."""
    parts = []
    if status.state not in ENDED:
        parts.append(f"{number(status.in_flight)} in flight")
        if status.uploading:
            parts.append(f"{number(status.uploading)} uploading")
        if status.images_per_minute is not None:
            parts.append(f"{status.images_per_minute:,.1f} pictures a minute")
    parts.append(_cost(status) if status.state in ENDED else _cost_so_far(status))
    if status.eta_seconds is not None:
        parts.append(f"{duration(status.eta_seconds)} left")
    return " · ".join(parts)


def state_line(status: Status) -> str:
    """The state and its reason."""
    return f"{status.state}: {printable(status.state_reason)}" if status.state_reason else str(status.state)


def outcomes_line(status: Status) -> str:
    """``1,180 done, 20 blocked``; what is 0 is left out, done is not."""
    parts = [f"{status.outcomes.get('done') or 0:,} done"]
    parts += [f"{count:,} {outcome}" for outcome in NOT_DONE if (count := status.outcomes.get(outcome.value))]
    return ", ".join(parts)


def troubles_line(status: Status) -> str:
    """The verdicts other than pictures, the most frequent first: ``120 network, 4 throttled``."""
    others = [(count, word) for word, count in status.verdicts.items() if count and word != Verdict.IMAGE]
    return ", ".join(
        f"{count:,} {word}" for count, word in sorted(others, key=lambda pair: (-pair[0], pair[1]))
    )


def one_line(status: Status) -> str:
    """A running job in one line, where there is no terminal."""
    parts = [state_line(status), rows_line(status), outcomes_line(status), pace_line(status)]
    if troubles_line(status):
        parts.append(f"answers without a picture: {troubles_line(status)}")
    return " · ".join(parts)


def summary(status: Status) -> list[str]:
    """The results of a job, where they are, and what to do next; one line each."""
    rows = f"of {plural(status.rows, 'row')}" if status.rows is not None else "not all rows read yet"
    cost = "cost unknown" if status.cost_usd is None else _cost(status)
    figures = f"{plural(status.calls, 'call')}, {cost}"
    lines = [f"{status.job} {state_line(status)}", f"{outcomes_line(status)}, {rows}; {figures}"]
    lines += _of_money(status)
    lines.append(f"in {status.out}: results.csv, report.html, images/")
    return lines + next_steps(status)


def details(status: Status) -> list[str]:
    """The status of a job, for ``retouch status``."""
    if status.state in STOPPED:
        return summary(status)
    lines = [
        f"{status.job} {state_line(status)}",
        rows_line(status),
        outcomes_line(status),
        pace_line(status),
    ]
    lines += _of_money(status)
    return [*lines, f"folder: {status.out}"]


def next_steps(status: Status) -> list[str]:
    """What the user can do next."""
    look = f"`retouch results {status.job} --outcome"
    steps = {
        Outcome.FAILED: f"{look} failed` says why, `retouch retry {status.job}` tries them again",
        Outcome.BLOCKED: f"{look} blocked` says why",
        Outcome.INVALID: f"{look} invalid` shows line and reason",
        Outcome.CANCELLED: f"`retouch retry {status.job} --reason cancelled` processes them after all",
    }
    lines = [
        f"{count:,} {outcome}: {step}"
        for outcome, step in steps.items()
        if (count := status.outcomes.get(outcome.value))
    ]
    if status.state is State.HALTED:
        lines.append("once that is fixed, the same command continues from here")
    elif status.state not in ENDED and not status.state_reason:
        lines.append(f"`retouch watch {status.job}` follows it")
    return lines


def _of_money(status: Status) -> list[str]:
    """Calls that the cost does not include."""
    lines = []
    if status.calls_unpriced:
        lines.append(f"{plural(status.calls_unpriced, 'call')} at an unknown price, not included in the cost")
    if status.calls_unknown:
        of_budget = "; the budget counts them as paid" if over_budget(status.state_reason) else ""
        lines.append(
            f"{plural(status.calls_unknown, 'call')} without an answer, may have been paid for{of_budget}"
        )
    return lines


def _cost(status: Status) -> str:
    partly = status.cost_usd is not None and (status.calls_unpriced or status.calls_unknown)
    return f"at least {money(status.cost_usd)}" if partly else money(status.cost_usd)


def _cost_so_far(status: Status) -> str:
    if status.budget_usd is None or status.cost_usd is None:
        return f"{_cost(status)} so far"
    return f"{_cost(status)} of {money(status.budget_usd)}"


def printable(text: str) -> str:
    """*text* on one line without control characters: a manifest or an API may hold what moves a cursor."""
    return "".join(char if char.isprintable() else " " for char in text)
