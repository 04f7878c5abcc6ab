"""Figures, the bounds they must reach, and how the figures of several rounds become one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bound:
    """What a figure must reach: at most, or at least, so much."""

    limit: float
    least: bool = False

    def holds(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit

    def text(self, unit: str) -> str:
        return f"{'≥' if self.least else '≤'} {shown(self.limit, unit)}"


@dataclass(frozen=True)
class Figure:
    """One figure: the median of its *rounds*.

    Attributes:
        name: what was measured, as a person reads it.
        rounds: the figure of each round.
        unit: such as ``MB``, ``x`` or ``/s``.
        bound: ``None`` where nothing is promised.
        note: what one must know beside it.
    """

    name: str
    rounds: tuple[float, ...]
    unit: str
    bound: Bound | None = None
    note: str = ""

    @property
    def value(self) -> float:
        return statistics.median(self.rounds)

    @property
    def holds(self) -> bool | None:
        return None if self.bound is None else self.bound.holds(self.value)

    def text(self) -> str:
        """The median, and the least and the most of the rounds where there were several."""
        median = shown(self.value, self.unit)
        if len(self.rounds) == 1:
            return median
        low, high = (
            shown(edge(self.rounds), self.unit).removesuffix(self.unit).rstrip() for edge in (min, max)
        )
        return f"{median} ({low} to {high})"

    def document(self) -> dict[str, Any]:
        """The figure as JSON."""
        return {**asdict(self), "value": self.value, "holds": self.holds}


@dataclass(frozen=True)
class Table:
    """Absolute figures beside each other."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self) -> list[str]:
        """The table in Markdown."""
        rule = ("---", *("--:" for _ in self.header[1:]))
        return [f"| {' | '.join(row)} |" for row in (self.header, rule, *self.rows)]


@dataclass
class Result:
    """What one benchmark found.

    Attributes:
        failed: why it, or a part of it, could not be measured.
    """

    name: str
    about: str
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Everything was measured, and every bound holds."""
        return not self.failed and all(figure.holds is not False for figure in self.figures)

    def document(self) -> dict[str, Any]:
        """The result as JSON."""
        return {**asdict(self), "figures": [figure.document() for figure in self.figures]}


def pairs(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """The ratio of each round: what disturbs the machine for a while disturbs both of a pair."""
    return tuple(our / their for our, their in zip(ours, theirs, strict=True))


def shown(value: float, unit: str) -> str:
    """*value* with as many digits as it is good for."""
    digits = (
        0 if value == int(value) and unit != "x" else 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    )
    return f"{value:,.{digits}f} {unit}".rstrip()
