"""Converts the cells of a row to typed values; a wrong type is a fault that says how to write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pipeline.edit import Fault
from pipeline.manifest import mistaken, template
from pipeline.manifest.columns import KNOWN
from pipeline.manifest.reader import Raw

#: Excel takes 16:9 for a time of day and writes 16:09 or 16:09:00; no real ratio is written like that.
_RATIO_AS_TIME = re.compile(r"0*([1-9]\d*):0*([1-9]\d*)(:00)?")


class TypedCells(msgspec.Struct):
    """The typed columns of a row, and what is wrong with them."""

    faults: list[Fault]
    prompt: str = ""
    images: tuple[str, ...] = ()
    model: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    extra: dict[str, Any] = {}


def typed(raw: Raw, prompt: str | None) -> TypedCells:
    """The typed values of *raw*; *prompt* (``--prompt``) is for rows without their own."""
    faults = list(raw.faults)
    if not raw.readable:
        return TypedCells(faults=faults)
    cells = raw.cells
    misnamed = mistaken.fault_of(cells)
    if misnamed:
        faults.append(misnamed)
    values = TypedCells(
        faults=faults,
        images=_images(cells, faults),
        model=_text(cells, "model", faults),
        aspect_ratio=_ratio(_text(cells, "aspect_ratio", faults)),
        image_size=_text(cells, "image_size", faults),
        extra={name: value for name, value in cells.items() if name not in KNOWN},
    )
    values.prompt = _prompt(cells, prompt, faults)
    return values


def row_name(cells: Mapping[str, Any], column: str, faults: list[Fault] | None = None) -> str | None:
    """The row's ``id`` or ``output``: text or an integer (also as 1.0, which tables with gaps make of 1)."""
    value = cells.get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(cells, column, faults if faults is not None else [], "text or a whole number")


def _text(cells: Mapping[str, Any], column: str, faults: list[Fault], kind: str = "a text") -> str | None:
    value = cells.get(column)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        _wrong_type(column, value, kind, faults)
        return None
    _refuse_nul(value, column, faults)
    return value.strip() or None


def _images(cells: Mapping[str, Any], faults: list[Fault]) -> tuple[str, ...]:
    """``image`` first, then ``images``."""
    first = _text(cells, "image", faults, "the path of one picture (several go into images)")
    images = (_path(first),) if first else ()
    several = cells.get("images")
    if several is None or several == "":
        return images
    if isinstance(several, str):
        return images + tuple(_path(part.strip()) for part in several.split("|") if part.strip())
    if isinstance(several, list) and all(isinstance(item, str) and item.strip() for item in several):
        for item in several:
            _refuse_nul(item, "images", faults)
        return images + tuple(_path(item.strip()) for item in several)
    _wrong_type("images", several, 'a list of paths, such as ["a.png", "b.png"]', faults)
    return images


def _path(path: str) -> str:
    r"""*path* with ``/`` for ``\``; a URL as it is."""
    return path if "\\" not in path or "://" in path else path.replace("\\", "/")


def _ratio(text: str | None) -> str | None:
    as_time = _RATIO_AS_TIME.fullmatch(text) if text else None
    return f"{as_time[1]}:{as_time[2]}" if as_time else text


def _prompt(cells: Mapping[str, Any], prompt: str | None, faults: list[Fault]) -> str:
    own = cells.get("prompt")
    if own is not None and not isinstance(own, str):
        _wrong_type("prompt", own, "a text", faults)
        return ""
    text, column = (own, "prompt") if own and not own.isspace() else (prompt, "--prompt")
    if not text:
        faults.append(_no_prompt(cells))
        return ""
    _refuse_nul(text, column, faults)
    try:
        filled = template.fill(text, cells)
    except template.TemplateError as error:
        faults.append(Fault(code=error.code, message=str(error), column=column))
        return text
    if not filled.strip():
        faults.append(_no_prompt(cells))
    return filled


def _no_prompt(cells: Mapping[str, Any]) -> Fault:
    if cells.get("image") or cells.get("images"):
        message = (
            "the row has no prompt; fill in its prompt column, or give --prompt for all rows without one."
        )
        return Fault(code="no_prompt", message=message, column="prompt")
    message = "the row has neither a picture nor a prompt; fill in image and prompt, or remove the row."
    return Fault(code="empty_row", message=message)


def _refuse_nul(text: str, column: str, faults: list[Fault]) -> None:
    if "\0" in text:
        message = f"{column} holds a NUL character, which is not allowed; write the manifest again."
        faults.append(Fault(code="nul", message=message, column=column))


def _wrong_type(column: str, value: object, kind: str, faults: list[Fault]) -> None:
    found = {dict: "an object", list: "a list", bool: "true or false", int: "a number", float: "a number"}
    what = found.get(type(value), "a text" if isinstance(value, str) else "another type")
    if column == "images" and isinstance(value, list):
        what = "a list in which something is no path"
    message = f"{column} is {what}; write {kind}."
    faults.append(Fault(code="wrong_type", message=message, column=column))
