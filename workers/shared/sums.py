"""Dollars as whole billionths, so that sums in Redis are exact however often they change."""

from __future__ import annotations

import msgspec

from pipeline.status import Totals

_BILLION = 1_000_000_000


def billionths(usd: float) -> int:
    """*usd* as Redis keeps it."""
    return round(usd * _BILLION)


def dollars(amount: int) -> float:
    """What Redis keeps as dollars."""
    return amount / _BILLION


def sums_of(totals: Totals) -> str:
    """*totals* as one flat JSON object of whole numbers, which scripts can add and subtract."""
    flat = {f"outcome:{name}": count for name, count in totals.outcomes.items()}
    flat |= {f"verdict:{name}": count for name, count in totals.verdicts.items()}
    flat |= {
        "calls": totals.calls,
        "calls_unknown": totals.calls_unknown,
        "calls_unpriced": totals.calls_unpriced,
        "cost": billionths(totals.cost_usd),
    }
    return msgspec.json.encode(
        {name: count for name, count in flat.items() if count}, order="sorted"
    ).decode()


def totals_in(head: dict[str, str]) -> Totals:
    """The job's totals, from the fields of its *head*."""

    def group(prefix: str) -> dict[str, int]:
        return {
            name.removeprefix(prefix): int(count)
            for name, count in head.items()
            if name.startswith(prefix) and int(count)
        }

    return Totals(
        outcomes=group("outcome:"),
        verdicts=group("verdict:"),
        calls=int(head.get("calls", 0)),
        calls_unknown=int(head.get("calls_unknown", 0)),
        calls_unpriced=int(head.get("calls_unpriced", 0)),
        cost_usd=dollars(int(head.get("cost", 0))),
    )
