"""Reads rules from a TOML or JSON file, or from one line on the command line.

::

    [[rule]]
    answer = "text_only"          # any name of answers.ANSWERS; left out: the picture
    contains = "kitten"           # conditions, all of which must hold: see conditions.When
    times_per_token = 2           # limits: times, times_per_token
    latency = "lognormal:8:0.5"   # also: name, spelling = "snake", extra_fields = true
    hold = true                   # keep the answer back until the rules are replaced (PUT /rules)
    finish_reason = "STOP"        # parameters of the answer

    [[rule]]
    on = "upload"                 # a request of the Files API: start, upload, query, finish, get, delete
    answer = "status"
    code = 503

JSON says the same as ``{"rules": [{"answer": "text_only", ...}]}``, the command line as
``text_only contains=kitten times_per_token=2``.

A token is ``[[...]]`` in the prompt, or else a hash of prompt and pictures (:func:`.request.token_of`). If a client
rewords its prompt between tries, only the former stays the same.
"""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.gemini.emulator.answers import ANSWERS, OF_FILES, ON_FILES, parameters_of
from pipeline.gemini.emulator.conditions import When
from pipeline.gemini.emulator.latency import Latency
from pipeline.gemini.emulator.painting import MADE
from pipeline.gemini.emulator.rules import Rule


def load_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, or a :class:`UsageError` that says what is wrong with it in one sentence."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"the rule file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(
            f"the rule file {path} is not valid {path.suffix[1:].upper() or 'TOML'}: {error}"
        ) from error
    return parse_rules(document, str(path))


def parse_rules(document: Any, where: str) -> tuple[Rule, ...]:
    """The rules of a document: a list, or a mapping with ``rules`` (``rule`` in TOML)."""
    listed = document
    if isinstance(document, Mapping):
        unknown = sorted(set(document) - {"rule", "rules"})
        if unknown:
            raise UsageError(f'{where}: "{unknown[0]}" is not known; rules stand under [[rule]]')
        listed = [*document.get("rules", []), *document.get("rule", [])]
    if not isinstance(listed, list) or not all(isinstance(item, Mapping) for item in listed):
        raise UsageError(f"{where}: rules must be a list of tables")
    return tuple(parse_rule(item, f"{where}, rule {number}") for number, item in enumerate(listed, start=1))


def parse_fault(text: str) -> Rule:
    """The rule of one line: ``rate_limited every=10 retry_delay=2``."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the fault {text!r} cannot be read: {error}") from error
    given: dict[str, Any] = {}
    for position, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not equals and position:
            raise UsageError(f'the fault {text!r}: "{word}" should read name=value')
        given.update({name: _literal(value)} if equals else {"answer": name})
    return parse_rule(given, f"the fault {text!r}")


def _literal(text: str) -> Any:
    """A number, ``true``, a JSON list; anything else is text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def rule(answer: str = "picture", **given: Any) -> Rule:
    """A rule in Python, in the words of the file: ``rule("text_only", times_per_token=2)``."""
    return parse_rule({"answer": answer, **given}, f'rule("{answer}")')


def parse_rule(given: Mapping[str, Any], where: str) -> Rule:
    """One rule; every name in it must be known, and every value must have the right type."""
    answer = given.get("answer", "picture")
    if answer not in ANSWERS:
        raise UsageError(f'{where}: there is no answer "{answer}"; there are {", ".join(ANSWERS)}')
    allowed = parameters_of(answer)
    parts: dict[str, dict[str, Any]] = {"when": {}, "rule": {}, "parameters": {}}
    for name, value in given.items():
        kind, read = _reader(name, allowed)
        if read is None:
            known = ", ".join([*allowed, *_CONDITIONS, *_SETTINGS])
            raise UsageError(f'{where}: "{name}" is not known to "{answer}", which takes {known}')
        try:
            parts[kind][name] = read(value)
        except (ValueError, TypeError, re.error, UsageError) as error:
            raise UsageError(f"{where}: {name} = {value!r} cannot be read: {error}") from error
    parts["rule"].setdefault("on", OF_FILES.get(answer, "call"))
    made = Rule(**parts["rule"], parameters=parts["parameters"], when=When(**parts["when"]))
    if made.before_body and (made.when.needs_body or made.times_per_token is not None):
        raise UsageError(
            f"{where}: reset_before comes before the body is read, so it can only depend on nth, every, "
            "after, probability, model and times"
        )
    _check_place(made, where)
    return made


def _check_place(made: Rule, where: str) -> None:
    """Raise :class:`UsageError` for an answer, or a condition, that its request cannot have."""
    if made.hold and (made.before_body or made.on != "call"):
        raise UsageError(f"{where}: only the answer to a call can be held, and not reset_before")
    if made.on == "call":
        if made.answer in OF_FILES:
            raise UsageError(f'{where}: "{made.answer}" answers no call, but on = "{OF_FILES[made.answer]}"')
        return
    if made.answer not in ON_FILES[made.on]:
        known = ", ".join(sorted(ON_FILES[made.on]))
        raise UsageError(f'{where}: on "{made.on}" there is no "{made.answer}"; there are {known}')
    if made.when.needs_body or made.when.model or made.times_per_token is not None:
        raise UsageError(
            f'{where}: of a request on "{made.on}" only nth, every, after, probability and times can say which'
        )


Reader = Callable[[Any], Any]


def _reader(name: str, allowed: Mapping[str, Any]) -> tuple[str, Reader | None]:
    if name == "file_format" and name in allowed:
        return "parameters", _one_of(*MADE)
    if name in allowed:
        return "parameters", lambda value: _like(allowed[name], value)
    if name in _CONDITIONS:
        return "when", _CONDITIONS[name]
    return "rule", _SETTINGS.get(name)


def _like(default: Any, value: Any) -> Any:
    """*value*, if it has the type of a parameter's *default*."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ValueError(f"expected {type(default).__name__}")
    return value


def _text(value: Any) -> str:
    return str(_like("", value))


def _flag(value: Any) -> bool:
    return bool(_like(True, value))


def _count(value: Any) -> int:
    count = int(_like(0, value))
    if count < 0:
        raise ValueError("expected a number from 0 up")
    return count


def _step(value: Any) -> int:
    if not _count(value):
        raise ValueError("expected a number from 1 up")
    return int(value)


def _share(value: Any) -> float:
    share = float(_like(0.0, value))
    if not 0 <= share <= 1:
        raise ValueError("expected a number from 0 to 1")
    return share


def _set_of(read: Reader) -> Reader:
    return lambda value: frozenset(read(item) for item in (value if isinstance(value, list) else [value]))


def _one_of(*words: str) -> Reader:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"expected {' or '.join(words)}")
        return str(value)

    return read


_CONDITIONS: Mapping[str, Reader] = {
    "nth": _set_of(_step),
    "every": _step,
    "after": _count,
    "probability": _share,
    "contains": _text,
    "matches": lambda value: re.compile(_text(value)),
    "token": _set_of(str),
    "attempt": _set_of(_step),
    "model": _set_of(_text),
    "modalities": _set_of(_one_of("TEXT", "IMAGE")),
    "inputs": _set_of(_count),
}
_SETTINGS: Mapping[str, Reader] = {
    "answer": _text,
    "name": _text,
    "on": _one_of("call", *ON_FILES),
    "times": _count,
    "times_per_token": _count,
    "latency": Latency.parse,
    "hold": _flag,
    "spelling": _one_of("camel", "snake"),
    "extra_fields": _flag,
}
