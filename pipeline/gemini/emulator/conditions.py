"""When a rule holds: every condition that is given must."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of a call; before its body is read, only its number and its model."""

    n: int
    model: str
    token: str = ""
    prompt: str = ""
    attempt: int = 0
    modalities: frozenset[str] = frozenset()
    inputs: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class When:
    """The conditions of one rule; those left out hold always.

    Attributes:
        nth: numbers of calls, by arrival, from 1.
        every: each call whose number divides by it.
        after: calls whose number is greater.
        probability: the share of calls; drawn from seed, token and attempt, so that it does not depend on
            the order in which calls arrive.
        contains: the prompt holds this text, whatever its case.
        matches: a regular expression found in the prompt.
        token: tokens of requests.
        attempt: the how-manyth call of a token.
        model: ids of models.
        modalities: exactly the response modalities that were asked for.
        inputs: how many input pictures there are.
    """

    nth: frozenset[int] | None = None
    every: int | None = None
    after: int | None = None
    probability: float | None = None
    contains: str | None = None
    matches: re.Pattern[str] | None = None
    token: frozenset[str] | None = None
    attempt: frozenset[int] | None = None
    model: frozenset[str] | None = None
    modalities: frozenset[str] | None = None
    inputs: frozenset[int] | None = None

    @property
    def needs_body(self) -> bool:
        """Whether a condition asks for what only the body tells."""
        of_body = (self.contains, self.matches, self.token, self.attempt, self.modalities, self.inputs)
        return any(condition is not None for condition in of_body)

    def holds(self, facts: Facts, seed: str) -> bool:
        """Whether all conditions hold for a call."""
        return self._counts(facts) and self._names(facts) and self._asks(facts) and self._drawn(facts, seed)

    def _counts(self, facts: Facts) -> bool:
        return (
            (self.nth is None or facts.n in self.nth)
            and (self.every is None or facts.n % self.every == 0)
            and (self.after is None or facts.n > self.after)
            and (self.attempt is None or facts.attempt in self.attempt)
        )

    def _names(self, facts: Facts) -> bool:
        return (self.token is None or facts.token in self.token) and (
            self.model is None or facts.model in self.model
        )

    def _asks(self, facts: Facts) -> bool:
        return (
            (self.contains is None or self.contains.lower() in facts.prompt.lower())
            and (self.matches is None or self.matches.search(facts.prompt) is not None)
            and (self.modalities is None or self.modalities == facts.modalities)
            and (self.inputs is None or facts.inputs in self.inputs)
        )

    def _drawn(self, facts: Facts, seed: str) -> bool:
        if self.probability is None:
            return True
        who = f"{facts.token}/{facts.attempt}" if facts.token else str(facts.n)
        draw = random.Random(f"{seed}/{who}").random()  # noqa: S311 - a repeatable draw, not a secret
        return draw < self.probability
