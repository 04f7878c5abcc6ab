"""What each model takes, makes and costs."""

from __future__ import annotations

from docs.generate.markdown import code, codes, table
from pipeline.models import Model, ModelState, catalogue
from pipeline.report.words import money

_INTRO = """# Models

As of {as_of}, in US dollars; `retouch models` prints the same. The default is `{default}`. You can also use a model that is
not listed; its price is then unknown.

Prices are per picture of the given size. The input and the model's thinking cost extra; `retouch check` includes them.
*Confidence* tells how reliable a price is: H from official or several sources, M from one good source, L from conflicting
sources.
"""


def page() -> str:
    """The page."""
    known = catalogue()
    answering = [model for model in known.models if model.state is not ModelState.SHUT]
    shut = [model for model in known.models if model.state is ModelState.SHUT]
    return "\n".join(
        [
            _INTRO.format(as_of=known.as_of, default=known.default),
            *(_model(model) for model in answering),
            "## Models that were shut down\n",
            table(
                ["model", "shut down", "use instead"],
                [
                    [codes((model.id, *model.aliases)), _day(model), code(model.successor or "")]
                    for model in shut
                ],
            ),
        ]
    )


def _model(model: Model) -> str:
    facts = [
        ("state", _life(model)),
        ("sizes", _sizes(model)),
        ("aspect ratios", codes(model.ratios) or "not known"),
        ("pictures in one row", "not known" if model.max_inputs is None else f"up to {model.max_inputs}"),
        ("also called", codes(model.aliases)),
        ("confidence", model.confidence),
        ("note", model.notes),
    ]
    return f"## {model.title}\n\n" + table(["`" + model.id + "`", ""], [fact for fact in facts if fact[1]])


def _life(model: Model) -> str:
    parts = [str(model.state)]
    if model.shut:
        parts.append(f"shuts down on {model.shut}")
    if model.successor:
        parts.append(f"use `{model.successor}`")
    return ", ".join(parts)


def _sizes(model: Model) -> str:
    sizes = model.sizes or ((model.default_size,) if model.default_size else ())
    priced = ", ".join(f"{code(size)} {_price(model, size)}" for size in sizes)
    return priced + ("" if model.sizes else " (cannot be chosen)")


def _price(model: Model, size: str) -> str:
    price = model.image_price(size)
    return "at an unknown price" if price is None else money(price)


def _day(model: Model) -> str:
    return str(model.shut or "")
