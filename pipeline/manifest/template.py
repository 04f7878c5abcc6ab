"""``{column}`` in prompts; ``{{`` and ``}}`` are braces. Filled in once: braces in a value mean nothing.

A picture's URL is filled in as records hold it, without passwords and signatures: a prompt goes to the API, and into
records and reports, which are handed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pipeline.urls.addresses import traceable

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_BRACES = "write {{ and }} for literal braces"
#: Columns that name pictures.
_PICTURES = frozenset({"image", "images"})


class TemplateError(ValueError):
    """The template cannot be filled in; *code* is for the fault, and ``str()`` its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def fill(template: str, cells: Mapping[str, Any]) -> str:
    """*template* with its columns filled in from *cells*; raises :class:`TemplateError`."""
    if "{" not in template and "}" not in template:
        return template
    return _TOKEN.sub(lambda token: _filled(token, cells), template)


def check(template: str) -> None:
    """Raise :class:`TemplateError` if *template* has a stray brace."""
    for token in _TOKEN.finditer(template):
        _refuse_stray(token)


def uses(template: str, names: Iterable[str]) -> bool:
    """Whether *template* names at least one column of *names*."""
    known = {name.casefold() for name in names if name}
    tokens = _TOKEN.finditer(template)
    return any(token[1] is not None and token[1].strip().casefold() in known for token in tokens)


def _filled(token: re.Match[str], cells: Mapping[str, Any]) -> str:
    _refuse_stray(token)
    if token[1] is None:
        return token[0][0]
    name = token[1].strip()
    value = _value(name, cells)
    return _shown(_traceable(value) if name.casefold() in _PICTURES else value)


def _refuse_stray(token: re.Match[str]) -> None:
    if token[0] in {"{", "}"} or (token[1] is not None and not token[1].strip()):
        around = token.string[max(0, token.start() - 10) : token.end() + 20]
        raise TemplateError("stray_brace", f"there is a single brace near {around!r}; {_BRACES}.")


def _value(name: str, cells: Mapping[str, Any]) -> Any:
    folded = name.casefold()
    if folded == "prompt":
        raise TemplateError("unknown_column", "{prompt} cannot be used in a prompt; use another column.")
    if name in cells:
        return cells[name]
    for column, value in cells.items():
        if column.casefold() == folded:
            return value
    columns = ", ".join(column[:40] for column in list(cells)[:12] if column != "prompt")
    message = f"the prompt names {{{name[:40]}}}, which is not a column of this row (available: {columns})"
    raise TemplateError("unknown_column", f"{message}; correct the name, or {_BRACES}.")


def _traceable(value: Any) -> Any:
    """*value* of a column of pictures, each as records name it."""
    if isinstance(value, str):
        return "|".join(map(traceable, value.split("|")))
    return [_traceable(item) for item in value] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    """*value* as part of a sentence: text unchanged, nothing for null, lists with commas."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return msgspec.json.encode(value).decode()
