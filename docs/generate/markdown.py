"""Markdown from values and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from enum import Enum

_ROLE = re.compile(r":\w+:`~?(?:[^`<]*\.)?([^`.<]+)`")
_FIELD = re.compile(r"^\*?(\w+)(?: \([^)]*\))?: (.*)", re.DOTALL)
_SECTION = re.compile(r"^(?:Attributes|Args|Raises|Returns):$", re.MULTILINE)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold Markdown, and what would end a cell is escaped."""
    lines = [_row(header), _row(["---"] * len(header)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def code(text: object) -> str:
    """*text* as code; empty where there is none."""
    return f"`{text}`" if str(text) else ""


def codes(texts: Iterable[object]) -> str:
    """Several, separated by commas."""
    return ", ".join(code(text) for text in texts)


def prose(text: str) -> str:
    """The text of a docstring as Markdown, each paragraph on one line."""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(text))
    joined = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return _ROLE.sub(r"`\1`", joined).replace("``", "`")


def said(thing: object) -> str:
    """What the docstring of *thing* says before its sections."""
    return prose(_SECTION.split(inspect.getdoc(thing) or "")[0])


def attributes(thing: type) -> dict[str, str]:
    """What the docstring of *thing* says of each attribute."""
    _, _, listed = (inspect.getdoc(thing) or "").partition("\nAttributes:\n")
    entries = re.split(r"\n(?=    \w)", _SECTION.split(listed)[0].rstrip())
    found = [_FIELD.match(inspect.cleandoc(entry)) for entry in entries if entry.strip()]
    return {match[1]: prose(match[2]) for match in found if match}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n\n", "<br>").replace("\n", " ")


def members(kind: type[Enum]) -> dict[str, str]:
    """The value of each member of *kind*, and what the ``#:`` comment above it says.

    Raises:
        KeyError: one has no such comment.
    """
    found = re.findall(r"((?:^ *#: .*\n)+) *(\w+) =", inspect.getsource(kind), re.MULTILINE)
    notes = {name: prose(re.sub(r"^ *#: ", "", note, flags=re.MULTILINE)) for note, name in found}
    return {str(member.value): notes[member.name] for member in kind}
