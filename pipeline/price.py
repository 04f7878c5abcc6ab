"""What calls cost, in US dollars: after the fact from the usage that came back, before it as an estimate.

Pure arithmetic on the prices of ``models.toml``. Floats are enough: a token costs at least $2.5e-7, results are
rounded to :data:`DECIMALS`, and sums of a million such numbers are right to far less than a cent.
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

#: Of a dollar; a billionth, so that no single token is rounded away.
DECIMALS = 9

#: Characters of a prompt to one token. English has about four; half of that is on the safe side for scripts
#: that are dearer, and the prompt is next to nothing of the price.
_CHARS_PER_TOKEN = 2

#: A usage that costs so many times the estimate is a mistake of the answer, not a bill.
ABSURD = 100

#: What the model says beside its picture ("Here is the edited image ...").
_CHATTER_TOKENS = 50


def cost(model: Model | str | None, tokens: Tokens) -> float | None:
    """Dollars for a call that used *tokens*; ``None`` where the price is not known, never 0 for that.

    Each kind has its own price: pictures cost four and more times what text does, and thoughts count as text
    output. Drafts are billed as pictures (gemini-api.md 1.2), and the usage counts them as such.

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
    """Dollars of one call: by its usage, 0 where the API refused it, ``None`` where nobody can say.

    A usage is not believed when it counts no picture tokens though a picture came, nor when it costs
    :data:`ABSURD` times what was *expected*.

    Args:
        judged: what came of the call.
        model: its model's id.
        expected: the estimate that was set aside for it; ``None``: not known.
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
    """Dollars to set aside for one try; ``None`` where the price is not known.

    One picture of *image_size* (of the model's default without it; of the dearest size where it is unknown), the
    pictures and the prompt that go in, the model's allowance for thinking and a line of text. Meant to be on the
    safe side: a try that draws drafts may cost more, most cost less.

    Args:
        model: a model, or its id.
        image_size: as it would be sent; ``None``: not sent.
        inputs: how many pictures go in.
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
    """Dollars to set aside for one try of *edit*; ``None`` where the price is not known.

    Args:
        edit: a row.
        model: the job's, for a row that names none.
        image_size: likewise.
    """
    return _kept_estimate(
        edit.model or model, edit.image_size or image_size, len(edit.images), len(edit.prompt)
    )


class Cost(msgspec.Struct, frozen=True):
    """What calls are estimated to cost.

    Attributes:
        known_usd: dollars, as far as prices are known.
        whole: that this is all; else more comes on top, at prices that nobody knows.
    """

    known_usd: float = 0.0
    whole: bool = True

    @property
    def usd(self) -> float | None:
        """Dollars; ``None`` as soon as one price is not known."""
        return self.known_usd if self.whole else None

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.known_usd + other.known_usd, self.whole and other.whole)


def cost_of(prices: Iterable[float | None]) -> Cost:
    """The sum of *prices*, of which ``None`` is not known."""
    total, whole = 0.0, True
    for price in prices:
        if price is None:
            whole = False
        else:
            total += price
    return Cost(total, whole)


def cost_left(cost: Cost, rows: int, settled: int) -> Cost:
    """Of *cost*, for one try of each of *rows*, the part of those that are not *settled*."""
    share = (rows - settled) / rows if rows else 1.0
    return Cost(cost.known_usd * share, cost.whole)


def no_budget(model: str) -> str:
    """Why a budget cannot hold for *model*, whose price is not known: what cannot be set aside cannot be bounded."""
    return (
        f"the price of {model} is not known, so a budget cannot be applied: leave --budget out, or choose a model "
        "with a known price (`retouch models`)"
    )


# The rows of a manifest are much alike.
_kept_estimate = lru_cache(maxsize=4096)(estimate)


def _known(model: Model | str | None) -> Model | None:
    return catalogue().find(model) if isinstance(model, str) else model
