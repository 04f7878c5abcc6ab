"""What each image model accepts, makes and costs: the dated catalogue in ``models.toml``.

A model that is not in it is neither rejected nor free: nothing is known about it, and its price is ``None``.
"""

from __future__ import annotations

import re
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from functools import cache, cached_property
from importlib.resources import files

import msgspec

#: Includes ids with a path, such as those of tuned models.
_ID = re.compile(r"[\w.\-]+(/[\w.\-]+)*")


class ModelState(StrEnum):
    """A model's stage of life."""

    GA = "ga"
    PREVIEW = "preview"
    DEPRECATED = "deprecated"
    SHUT = "shut"


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars per million tokens, by kind; text and pictures of the input cost the same."""

    input: float
    output_text: float
    thoughts: float
    output_image: float


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One image model.

    Attributes:
        aliases: its other ids.
        announced: when its shutdown was announced.
        shut: when it was shut down, or will be.
        successor: id of the model to use instead.
        sizes: valid values of ``imageSize``; empty if it accepts none.
        default_size: the size it makes if none is requested.
        ratios: valid values of ``aspectRatio``.
        max_inputs: pictures in one request; ``None`` if unknown.
        input_image_tokens: tokens billed for one input picture, in the more expensive reading.
        thinking_tokens: an allowance for one try; ours, not Google's.
        image_tokens: tokens billed for one output picture, by size.
        discounts: the factor on every price in modes that retouch does not use (``batch``, ``flex``); without an
            entry, the price in that mode is unknown.
        confidence: ``H``, ``M`` or ``L``, as in gemini-api.md.
    """

    id: str
    title: str
    state: ModelState
    confidence: str
    sources: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    released: date | None = None
    announced: date | None = None
    deprecated: date | None = None
    shut: date | None = None
    successor: str | None = None
    sizes: tuple[str, ...] = ()
    default_size: str | None = None
    ratios: tuple[str, ...] = ()
    max_inputs: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    input_image_tokens: int | None = None
    thinking_tokens: int = 0
    image_tokens: dict[str, int] = {}
    prices: Prices | None = None
    discounts: dict[str, float] = {}
    notes: str = ""

    def fault(self, aspect_ratio: str | None, image_size: str | None, inputs: int) -> str | None:
        """Why the API would reject such a request, the first of :meth:`faults`; ``None`` if it should not."""
        return next(iter(self.faults(aspect_ratio, image_size, inputs).values()), None)

    def faults(self, aspect_ratio: str | None, image_size: str | None, inputs: int) -> dict[str, str]:
        """Why the API would reject such a request: a sentence with the fix for each column at fault.

        Args:
            aspect_ratio: as it would be sent; ``None``: not sent.
            image_size: likewise.
            inputs: the number of input pictures.
        """
        if self.state is ModelState.SHUT:
            return {"model": self._shut()}
        said = {
            "image_size": self._size_fault(image_size),
            "aspect_ratio": self._ratio_fault(aspect_ratio),
            "images": self._inputs_fault(inputs),
        }
        return {column: fault for column, fault in said.items() if fault}

    @property
    def warning(self) -> str | None:
        """A sentence to read before using it; ``None`` if all is well."""
        if self.state is not ModelState.DEPRECATED:
            return None
        end = f"will be shut down on {self.shut}" if self.shut else "is deprecated and may stop answering"
        return f"{self.id} {end}: use {self.successor}" if self.successor else f"{self.id} {end}"

    def image_price(self, size: str) -> float | None:
        """Dollars for one picture of *size*, without thinking and input; ``None`` if unknown."""
        if self.prices is None or size not in self.image_tokens:
            return None
        return self.image_tokens[size] * self.prices.output_image / 1e6

    def _shut(self) -> str:
        when = f" on {self.shut}" if self.shut else ""
        mend = f"use {self.successor}" if self.successor else "`retouch models` lists the available ones"
        return f"{self.id} was shut down{when}: {mend}"

    def _size_fault(self, size: str | None) -> str | None:
        if size is None or size in self.sizes:
            return None
        if not self.sizes:
            return f"{self.id} takes no image size (it makes about {self.default_size}): leave image_size out"
        meant = size.strip().upper()
        if meant in self.sizes:
            return f"image size {size!r} must be written {meant!r}"
        return f"{self.id} does not make image size {size!r}: use {_any_of(self.sizes)}"

    def _ratio_fault(self, ratio: str | None) -> str | None:
        if ratio is None or not self.ratios or ratio in self.ratios:
            return None
        meant = ratio.replace(" ", "").replace("x", ":").replace("/", ":")
        if meant in self.ratios:
            return f"aspect ratio {ratio!r} must be written {meant!r}"
        return f"{self.id} does not make aspect ratio {ratio!r}: use {_any_of(self.ratios)}"

    def _inputs_fault(self, inputs: int) -> str | None:
        if self.max_inputs is None or inputs <= self.max_inputs:
            return None
        return f"{self.id} takes up to {self.max_inputs} pictures, and the row has {inputs}: leave some out"


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """All known models, as of a date; *default* is the id used if none is given."""

    as_of: date
    default: str
    models: tuple[Model, ...]

    def find(self, model_id: str) -> Model | None:
        """The model with this id or alias, with or without ``models/``; ``None`` if it is unknown."""
        return self._by_id.get(model_id) or self._by_id.get(model_id.strip().removeprefix("models/"))

    def meant(self, model_id: str) -> str:
        """``; did you mean …?`` with the known models whose ids resemble *model_id*; empty if none does."""
        known = [model.id for model in self.models if model.state is not ModelState.SHUT]
        near = get_close_matches(model_id.removeprefix("models/"), known, n=2, cutoff=0.7)
        return f"; did you mean {_any_of(tuple(near))}?" if near and model_id not in near else ""

    @cached_property
    def _by_id(self) -> dict[str, Model]:
        return {name: model for model in self.models for name in (model.id, *model.aliases)}


@cache
def catalogue() -> Catalogue:
    """The catalogue that came with the program, read once."""
    return msgspec.toml.decode(files("pipeline").joinpath("models.toml").read_bytes(), type=Catalogue)


def _any_of(values: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(values[:-1]), values[-1])))


def fault_of_id(model: str) -> str | None:
    """What is wrong with *model* as an id, which becomes part of a URL; ``None`` if nothing is."""
    if _ID.fullmatch(model) and ".." not in model:
        return None
    return f"{model!r} is not a model's id; `retouch models` lists those known"
