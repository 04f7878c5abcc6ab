"""``retouch models``: what each model takes, makes and costs."""

from __future__ import annotations

import msgspec

from jobs import output
from pipeline.models import Model, ModelState, catalogue
from pipeline.report.words import money


def show(*, json: bool) -> None:
    """Print the catalogue."""
    known = catalogue()
    if json:
        output.write_json(msgspec.to_builtins(known))
        return
    for model in known.models:
        for line in _lines(model, is_default=model.id == known.default):
            output.write_line(line)
    output.write_line(
        f"As of {known.as_of}, US dollars. You can also use a model that is not listed; its price is unknown."
    )


def _lines(model: Model, *, is_default: bool) -> list[str]:
    lines = [f"{model.id}  {model.title}, {_life(model)}{', the default' if is_default else ''}"]
    if model.state is not ModelState.SHUT:
        lines.append(f"  sizes   {_sizes(model)}")
        lines.append(f"  ratios  {', '.join(model.ratios) or 'unknown'}")
        lines.append(f"  takes   {_inputs(model)}")
    if model.aliases:
        lines.append(f"  also    {', '.join(model.aliases)}")
    return [*lines, ""]


def _life(model: Model) -> str:
    end = ""
    if model.shut:
        end = f" on {model.shut}" if model.state is ModelState.SHUT else f", shuts down on {model.shut}"
    successor = f", use {model.successor}" if model.successor else ""
    return f"{model.state}{end}{successor}"


def _sizes(model: Model) -> str:
    """Each size with the price of a picture of it, thinking and input aside."""
    sizes = model.sizes or ((model.default_size,) if model.default_size else ())
    if not sizes:
        return "unknown"
    priced = [f"{size} {_price(model, size)}" for size in sizes]
    return ", ".join(priced) + ("" if model.sizes else " (cannot be chosen)")


def _price(model: Model, size: str) -> str:
    price = model.image_price(size)
    return "at an unknown price" if price is None else money(price)


def _inputs(model: Model) -> str:
    if model.max_inputs is None:
        return "pictures; the maximum is not known"
    return f"up to {model.max_inputs} pictures"
