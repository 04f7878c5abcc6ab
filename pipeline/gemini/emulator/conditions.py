"""When a rule holds: every condition that is given must."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known of a call; before its body is read, only its number and its model.

    Attributes:
        on: ``call``, or the request of the Files API that it is, of which nothing but its number is known.
    """

    n: int
    model: str = ""
    on: str = "call"
    token: str = ""
    prompt: str = ""
    attempt: int = 0
    modalities: frozenset[str] = frozenset()
    inputs: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class When:
    """The conditions of one rule; those left out hold always.

    Attributes:
        nth: calls with these numbers, in order of arrival, from 1.
        every: every n-th call.
        after: all calls after this number.
        probability: this share of calls, chosen from seed, token and attempt, so that the order in which
            calls arrive does not matter.
        contains: prompts that contain this text, in upper or lower case.
        matches: prompts that match this regular expression.
        token: requests with these tokens: a ``[[token]]`` in the prompt, or else a hash of prompt and pictures.
        attempt: the n-th call with the same token.
        model: calls to these models.
        modalities: calls that request exactly these response modalities.
        inputs: calls with this number of input pictures.
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
