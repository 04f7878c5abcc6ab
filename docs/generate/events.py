"""Every line that the log may hold, by the name of what happened."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from docs.generate.markdown import code, table

_INTRO = """# Log events

Every log line begins with the name of its event. With `--log-format json` the name is in the field `event`, and each value has a
field of its own. Warnings and errors are counted in the metric `retouch_events_total`. Lines of level `info` appear only with
`-v`, those of level `debug` only with `--debug`. [Monitoring](../how-to/monitoring.md#logs) describes how logs are written.
"""

_ROOT = Path(__file__).resolve().parents[2]
_LEVELS = ("debug", "info", "warning", "error", "critical", "exception")
_PLACE = re.compile(r"%[-#0 +]*\d*(?:\.\d+)?[a-zA-Z]")
#: Several words, or one before the first field.
EVENT = re.compile(r"[a-z]+(?:_[a-z0-9]+)+|[a-z]+(?= \w+=)")


class Line(NamedTuple):
    """A line's template, and where it is."""

    level: str
    template: str
    module: str


class Event(NamedTuple):
    """A line as the program writes it."""

    name: str
    level: str
    line: str
    module: str


def page() -> str:
    """The page."""
    rows = [[code(one.name), one.level, one.line, code(one.module)] for one in sorted(set(events()))]
    return "\n".join([_INTRO, table(["event", "level", "line", "module"], rows)])


def events() -> Iterator[Event]:
    """Every line, by the name of its event."""
    for line in lines():
        found = EVENT.match(line.template)
        if found:
            rest = _PLACE.sub("…", line.template[found.end() :]).replace("%%", "%").strip(" ,:")
            yield Event(found[0], line.level, rest, line.module)


def lines() -> Iterator[Line]:
    """Every line that the program may write to its log."""
    for package in ("pipeline", "workers", "jobs"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            for level, template in _lines(ast.parse(path.read_text(encoding="utf-8"))):
                yield Line(level, template, str(path.relative_to(_ROOT)))


def _lines(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=level),
                args=[ast.Constant(value=str(template)), *_],
            ) if level in _LEVELS:
                yield "error" if level == "exception" else level, template
