"""The input and the output of an answer, as plain values."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from pipeline.gemini.emulator.painting import Studio
from pipeline.gemini.emulator.request import EditRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A call, with everything that is needed to answer it."""

    request: EditRequest
    inputs: Sequence[Image.Image]
    studio: Studio
    n: int


class Delivery(enum.Enum):
    """How the bytes of an answer go out."""

    WHOLE = "whole"
    SLOW = "slow"  # a little at a time
    CUT = "cut"  # the connection ends before the announced length
    RESET = "reset"  # the connection ends without an answer
    HANG = "hang"  # nothing is ever sent


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        document: the JSON of the body; ``raw`` replaces it where the body is not to be JSON at all.
        paid: the call costs money although it may never be read.
        pictures: how many pictures were made for it.
        rate: bytes a second of a slow delivery; ``fraction``: how much of a cut one is sent.
    """

    document: Any = None
    raw: bytes | None = None
    status: int = 200
    content_type: str = "application/json; charset=UTF-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = Delivery.WHOLE
    rate: int = 0
    fraction: float = 1.0
    paid: bool = False
    pictures: int = 0

    def spelt(self, *, snake_case: bool = False, extra_fields: bool = False) -> Reply:
        """The same as another server might write it: a proxy, or a later version of the API."""
        document = _with_strangers(self.document) if extra_fields else self.document
        return replace(self, document=_renamed(document) if snake_case else document)

    def body(self) -> bytes:
        """The bytes of the body, indented as Google sends it."""
        if self.raw is not None:
            return self.raw
        return json.dumps(self.document, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _with_strangers(value: Any) -> Any:
    """Add fields that no client knows to every object: they must be ignored."""
    if isinstance(value, dict):
        known = {name: _with_strangers(content) for name, content in value.items()}
        return {"futureField": {"enabled": True, "values": [1, None, "x"]}, **known}
    if isinstance(value, list):
        return [_with_strangers(item) for item in value]
    return value


def _renamed(value: Any) -> Any:
    """snake_case names, as some proxies send them (section 3.1)."""
    if isinstance(value, dict):
        return {
            re.sub(r"([A-Z])", r"_\1", name).lower(): _renamed(content) for name, content in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    return value
