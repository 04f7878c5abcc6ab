"""What calls cost, in US dollars: estimated before a call, and calculated from the reported usage after it.

Pure arithmetic on the prices in ``models.toml``. Floats are precise enough: a token costs at least $2.5e-7, results
are rounded to :data:`DECIMALS`, and the error in a sum of a million of them is far below a cent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from pipeline.attempt import Tokens
from pipeline.edit import Edit
from pipeline.gemini.judgement import Judgement
from pipeline.models import Model, catalogue

log = logging.getLogger("retouch.price")

#: Decimals of a dollar: enough that no token is rounded to zero.
DECIMALS = 9

#: Characters of a prompt per token. English has about four; half of that is safe for scripts that need more tokens,
#: and the prompt is a tiny part of the price anyway.
_CHARS_PER_TOKEN = 2

#: A reported usage that costs this many times the estimate is taken for an error.
ABSURD = 100

#: What the model says beside its picture ("Here is the edited image ...").
_CHATTER_TOKENS = 50


def cost(model: Model | str | None, tokens: Tokens) -> float | None:
    """Dollars for a call that used *tokens*; ``None`` (not 0) if the price is unknown.

    Each kind has its own price: pictures cost at least four times as much as text, and thoughts count as text output.
    Drafts are billed and reported as pictures (gemini-api.md 1.2).

    Args:
        model: a model, or its id.
        tokens: usage by kind.
    """
    known = _known(model)
    if known is None or known.prices is None:
        return None
    prices = known.prices
    micro = (
        tokens.input * prices.input
        + tokens.output_text * prices.output_text
        + tokens.thoughts * prices.thoughts
        + tokens.output_image * prices.output_image
    )
    return round(micro / 1e6, DECIMALS)


def charged(judged: Judgement, model: str, expected: float | None) -> float | None:
    """Dollars for one call, from its usage; 0 if the API rejected it, ``None`` if the cost is unknown.

    A usage is not believed if it contains no picture tokens although there was a picture, or if it costs
    :data:`ABSURD` times as much as *expected*.

    Args:
        judged: the judgement of the call.
        model: the model's id.
        expected: the estimate that was reserved for it; ``None`` if unknown.
    """
    if judged.tokens is None:
        answered = judged.http_status is not None and 200 <= judged.http_status < 300
        return None if judged.unknown or answered else 0.0
    if judged.images and not judged.tokens.output_image:
        return None
    usd = cost(model, judged.tokens)
    if usd is not None and expected and usd > ABSURD * expected:
        log.warning("usage_absurd model=%s usd=%s expected=%s", model, usd, expected)
        return None
    return usd


def estimate(
    model: Model | str | None, image_size: str | None, inputs: int, prompt_chars: int
) -> float | None:
    """Dollars to reserve for one try; ``None`` if the price is unknown.

    Includes one picture of *image_size* (or the model's default; of the most expensive size if that is unknown), the
    input pictures and the prompt, the model's allowance for thinking, and a line of text. It errs on the safe side:
    most tries cost less, but one that makes drafts may cost more.

    Args:
        model: a model, or its id.
        image_size: as it would be sent; ``None``: not sent.
        inputs: the number of input pictures.
        prompt_chars: length of the prompt.
    """
    known = _known(model)
    if known is None or not known.image_tokens:
        return None
    size = image_size or known.default_size or ""
    tokens = Tokens(
        input=inputs * (known.input_image_tokens or 0) + -(-prompt_chars // _CHARS_PER_TOKEN),
        output_text=_CHATTER_TOKENS,
        thoughts=known.thinking_tokens,
        output_image=known.image_tokens.get(size) or max(known.image_tokens.values()),
    )
    return cost(known, tokens)


def price_of(edit: Edit, model: str, image_size: str | None) -> float | None:
    """Dollars to reserve for one try of *edit*; ``None`` if the price is unknown.

    Args:
        edit: a row.
        model: the job's, for a row without its own.
        image_size: likewise.
    """
    return _cached_estimate(
        edit.model or model, edit.image_size or image_size, len(edit.images), len(edit.prompt)
    )


class Cost(msgspec.Struct, frozen=True):
    """What calls are estimated to cost.

    Attributes:
        known_usd: dollars for everything whose price is known.
        whole: whether that is everything.
    """

    known_usd: float = 0.0
    whole: bool = True

    @property
    def usd(self) -> float | None:
        """Dollars; ``None`` if any price is unknown."""
        return self.known_usd if self.whole else None

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.known_usd + other.known_usd, self.whole and other.whole)


def cost_of(prices: Iterable[float | None]) -> Cost:
    """The sum of *prices*, where ``None`` is unknown."""
    total, whole = 0.0, True
    for price in prices:
        if price is None:
            whole = False
        else:
            total += price
    return Cost(total, whole)


def cost_left(cost: Cost, rows: int, settled: int) -> Cost:
    """The share of *cost* (for all *rows*) that is left for the rows that are not *settled*."""
    share = (rows - settled) / rows if rows else 1.0
    return Cost(cost.known_usd * share, cost.whole)


def no_budget(model: str) -> str:
    """Why there can be no budget for *model*: without a known price nothing can be reserved."""
    return (
        f"the price of {model} is not known, so a budget cannot be applied: leave --budget out, or choose a model "
        "with a known price (`retouch models`)"
    )


# Most rows of a manifest have the same estimate.
_cached_estimate = lru_cache(maxsize=4096)(estimate)


def _known(model: Model | str | None) -> Model | None:
    return catalogue().find(model) if isinstance(model, str) else model
