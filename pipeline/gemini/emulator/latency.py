"""How long answers take: fixed, evenly spread, or log-normal as real services are."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from pipeline.errors import UsageError

_FORMS = "give seconds (2.5), uniform:LOW:HIGH, or lognormal:MEDIAN:SIGMA"


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of seconds; :meth:`parse` reads it, :meth:`draw` draws from it.

    ``kind`` is ``fixed`` (``a`` seconds), ``uniform`` (``a`` to ``b``) or ``lognormal`` (median ``a``,
    sigma ``b``).
    """

    kind: str = "fixed"
    a: float = 0.0
    b: float = 0.0

    @classmethod
    def parse(cls, text: str | float) -> Latency:
        """``2.5``, ``uniform:1:3`` or ``lognormal:12:0.5``."""
        kind, _, rest = str(text).partition(":")
        try:
            if not rest:
                return cls("fixed", *_bounded(kind, 1))
            if kind in {"uniform", "lognormal"}:
                latency = cls(kind, *_bounded(rest, 2))
                if kind == "lognormal" or latency.a <= latency.b:
                    return latency
        except ValueError:
            pass
        raise UsageError(f'the latency "{text}" cannot be read: {_FORMS}')

    def draw(self, randomness: random.Random) -> float:
        """The seconds of the next answer."""
        if self.kind == "uniform":
            return randomness.uniform(self.a, self.b)
        if self.kind == "lognormal":
            return self.a * math.exp(randomness.gauss(0.0, self.b))
        return self.a


def _bounded(text: str, count: int) -> list[float]:
    numbers = [float(number) for number in text.split(":")]
    if len(numbers) != count or not all(0 <= number < math.inf for number in numbers):
        raise ValueError(text)
    return numbers
