"""Rules: which call gets which answer, and how often."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pipeline.gemini.emulator.answers import ANSWERS
from pipeline.gemini.emulator.answers.reply import Order, Reply
from pipeline.gemini.emulator.conditions import Facts, When
from pipeline.gemini.emulator.latency import Latency

_TOKENS_REMEMBERED = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One answer, the calls that get it, and its limits; :mod:`.rule_file` reads it.

    Attributes:
        on: ``call``, or a request of the Files API: ``start`` of an upload, ``upload`` of a piece, ``query``
            of what came, ``finish`` when all has, ``get``, ``delete``.
        times: how often it fires in all; ``times_per_token``: how often for each token.
        latency: instead of the emulator's own.
        hold: keeps the answer back until the rules are replaced, for as long as the client waits.
        spelling: ``camel`` or ``snake``, of the fields of the answer.
        extra_fields: adds unknown fields to every object of the answer.
    """

    answer: str = "picture"
    name: str = ""
    on: str = "call"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    when: When = field(default_factory=When)
    times: int | None = None
    times_per_token: int | None = None
    latency: Latency | None = None
    hold: bool = False
    spelling: str = "camel"
    extra_fields: bool = False

    @property
    def label(self) -> str:
        """What the ledger calls it."""
        return self.name or self.answer

    @property
    def before_body(self) -> bool:
        """Whether it fires before the request's body is read."""
        return self.answer == "reset_before"

    def reply(self, order: Order | None) -> Reply:
        """The answer to one call; a request of the Files API orders no picture."""
        return ANSWERS[self.answer](order, **self.parameters)


PLAIN = Rule()


class RuleBook:
    """Rules in their order, with the count of how often each has fired."""

    def __init__(self, rules: Sequence[Rule] = (), seed: int = 0) -> None:
        self._seed = seed
        self._replaced: Future[None] = Future()
        self.order(rules)

    @property
    def replaced(self) -> Future[None]:
        """Done once the rules of this moment have been replaced."""
        return self._replaced

    def order(self, rules: Sequence[Rule]) -> None:
        """Replace all rules, forget what has fired, and let go of the answers that are held; any thread may."""
        self._rules = tuple(rules)
        self._fired = [0] * len(self._rules)
        self._fired_for: list[OrderedDict[str, int]] = [OrderedDict() for _ in self._rules]
        replaced, self._replaced = self._replaced, Future()
        replaced.set_result(None)

    def before_body(self, facts: Facts) -> Rule | None:
        """The first rule that fires before the body is read."""
        return self._first(facts, before_body=True)

    def choose(self, facts: Facts) -> Rule:
        """The first rule that fires for a call, or the plain picture."""
        return self._first(facts, before_body=False) or PLAIN

    def _first(self, facts: Facts, *, before_body: bool) -> Rule | None:
        for index, rule in enumerate(self._rules):
            if rule.on != facts.on or rule.before_body is not before_body:
                continue
            if not self._left(index, facts.token):
                continue
            if rule.when.holds(facts, f"{self._seed}/{index}"):
                self._count(index, facts.token)
                return rule
        return None

    def _left(self, index: int, token: str) -> bool:
        rule = self._rules[index]
        if rule.times is not None and self._fired[index] >= rule.times:
            return False
        return rule.times_per_token is None or self._fired_for[index].get(token, 0) < rule.times_per_token

    def _count(self, index: int, token: str) -> None:
        self._fired[index] += 1
        if self._rules[index].times_per_token is None:
            return
        fired = self._fired_for[index]
        fired[token] = fired.get(token, 0) + 1
        fired.move_to_end(token)
        if len(fired) > _TOKENS_REMEMBERED:
            fired.popitem(last=False)
