"""The JSON that people and scripts read: field by field, from the types that are written."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from docs.generate.markdown import attributes, code, codes, said, table
from jobs.doctor.finding import Finding
from pipeline.attempt import Attempt, Tokens
from pipeline.edit import Fault
from pipeline.ports import Wanted
from pipeline.record import InputPicture, OutputPicture, Record
from pipeline.status import Status

_INTRO = """# Records and status

Times are ISO 8601 in UTC with `Z`, durations are in seconds, amounts in US dollars. An unknown value is `null`, never 0.
Paths are relative to the job folder and use `/`. Fields may be added, but are never renamed or removed.
"""

#: Heading, type, and where it is found.
_SHAPES: tuple[tuple[str, type[msgspec.Struct], str], ...] = (
    (
        "Record",
        Record,
        "The result of one row: a line of `results.jsonl` and of `retouch results JOB --json`.",
    ),
    ("Attempt", Attempt, "One of a record's `attempts`."),
    ("Tokens", Tokens, "The usage of one call, as reported by the API."),
    ("Input picture", InputPicture, "One of a record's `inputs`."),
    ("Output picture", OutputPicture, "One of a record's `images`."),
    (
        "Status",
        Status,
        "The state of a job: `report.json`, the `--json` output of `run`, `status` and `watch`, and `data` of a webhook.",
    ),
    ("Fault", Fault, "One of the `faults` of `retouch check --json`."),
    ("Finding", Finding, "One of the `findings` of `retouch doctor --json`."),
    ("Control", Wanted, "What you want the job to do now: `control.json`."),
)

_NAMES = {kind: heading for heading, kind, _ in _SHAPES}


def page() -> str:
    """The page."""
    return "\n".join([_INTRO, *(_shape(*shape) for shape in _SHAPES)])


def fields() -> Iterator[tuple[str, str, str]]:
    """The type, the name and the description of every field; the description is empty where there is none."""
    for _, kind, _ in _SHAPES:
        described = attributes(kind)
        for field in msgspec.structs.fields(kind):
            yield kind.__name__, field.encode_name, described.get(field.name, "")


def _shape(heading: str, kind: type[msgspec.Struct], where: str) -> str:
    described, hints = attributes(kind), get_type_hints(kind)
    rows = [
        [
            code(field.encode_name),
            _type(hints[field.name]),
            described.get(field.name, "").replace("None", "null"),
        ]
        for field in msgspec.structs.fields(kind)
    ]
    return "\n".join([f"## {heading}\n", where + "\n", table(["field", "type", ""], rows), *_words(hints)])


def _words(hints: dict[str, Any]) -> Iterator[str]:
    """The closed sets among the fields."""
    for name, hint in hints.items():
        enums = [one for one in (hint, *get_args(hint)) if isinstance(one, type) and issubclass(one, Enum)]
        for kind in enums:
            yield f"`{name}`: {codes(member.value for member in kind)}. {said(kind)}\n"


def _type(hint: Any) -> str:
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_type(one) for one in get_args(hint))
    if get_origin(hint) is tuple:
        return f"list of {_type(get_args(hint)[0])}"
    if hint in _NAMES:
        anchor = _NAMES[hint].lower().replace(" ", "-")
        return f"[{_NAMES[hint]}](#{anchor})"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "word"
    return _PLAIN.get(get_origin(hint) or hint, "any")


_PLAIN: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    type(None): "null",
    dict: "object",
}
