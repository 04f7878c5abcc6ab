from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attempt import Tokens, Verdict
from pipeline.gemini.judgement import Judgement
from pipeline.models import ModelState, catalogue
from pipeline.price import ABSURD, charged, cost, estimate
from tests.markdown import ROOT

DEFAULT = "gemini-nano-banana-2.1"
PRICED = [model for model in catalogue().models if model.state is not ModelState.SHUT]
counts = st.integers(0, 100_000)


def test_each_kind_of_token_has_its_own_price():
    tokens = Tokens(input=1_000_000, output_text=1_000_000, thoughts=1_000_000, output_image=1_000_000)

    assert cost(DEFAULT, tokens) == 1.5 + 7.5 + 7.5 + 30


def test_pictures_are_not_priced_as_text():
    assert cost(DEFAULT, Tokens(output_image=1120, total=1120)) == pytest.approx(0.0336)
    assert cost(DEFAULT, Tokens(output_text=1120, total=1120)) == pytest.approx(0.0084)


def test_thoughts_are_priced_as_text():
    assert cost(DEFAULT, Tokens(thoughts=1000)) == cost(DEFAULT, Tokens(output_text=1000)) == 0.0075


def test_4k_of_the_default_is_3780_tokens():
    assert catalogue().find(DEFAULT).image_tokens["4K"] == 3780
    assert cost(DEFAULT, Tokens(output_image=3780)) == pytest.approx(0.1134)


def test_one_token_is_not_rounded_away():
    assert cost("gemini-3.1-flash-lite-image", Tokens(input=1)) == 2.5e-7


@pytest.mark.parametrize("unknown", ["gemini-9-image", "gemini-3-pro-image-preview", None])
def test_an_unknown_price_is_none_and_never_nothing(unknown):
    assert cost(unknown, Tokens(input=5, output_image=1120)) is None
    assert cost(unknown, Tokens()) is None
    assert estimate(unknown, "1K", 1, 100) is None


@given(counts, counts, counts, counts, st.sampled_from(PRICED))
def test_a_cost_is_the_sum_of_its_kinds(asked, text, thoughts, image, model):
    kinds = [
        Tokens(input=asked),
        Tokens(output_text=text),
        Tokens(thoughts=thoughts),
        Tokens(output_image=image),
    ]
    whole = Tokens(input=asked, output_text=text, thoughts=thoughts, output_image=image)

    assert cost(model, whole) == pytest.approx(sum(cost(model, kind) for kind in kinds), abs=1e-8)


@pytest.mark.parametrize("model", PRICED, ids=[model.id for model in PRICED])
def test_an_estimate_covers_an_ordinary_try_and_is_not_wild(model):
    for size in model.image_tokens:
        ordinary = Tokens(
            input=model.input_image_tokens + 60,
            output_text=20,
            thoughts=model.thinking_tokens * 2 // 3,
            output_image=model.image_tokens[size],
        )
        asked = estimate(model, size, 1, 200)
        assert cost(model, ordinary) < asked < 1.5 * model.image_price(size)


def test_an_estimate_grows_with_all_that_is_sent():
    one = estimate(DEFAULT, None, 1, 100)

    assert one == estimate(DEFAULT, "1K", 1, 100)
    assert estimate(DEFAULT, None, 2, 100) > one
    assert estimate(DEFAULT, None, 1, 100_000) > one
    assert estimate(DEFAULT, "2K", 1, 100) > one
    assert estimate(DEFAULT, "9K", 1, 100) == estimate(DEFAULT, "4K", 1, 100)


PICTURE = Tokens(input=258, output_image=1120, total=1378)


@pytest.mark.parametrize(
    ("judged", "usd"),
    [
        (Judgement(verdict=Verdict.IMAGE, http_status=200, images=1, tokens=PICTURE), cost(DEFAULT, PICTURE)),
        (Judgement(verdict=Verdict.TEXT_ONLY, http_status=200, tokens=Tokens(output_text=9)), 6.75e-5),
        (Judgement(verdict=Verdict.IMAGE, http_status=200, images=1), None),
        (Judgement(verdict=Verdict.IMAGE, http_status=200, images=1, tokens=Tokens(output_text=9)), None),
        (Judgement(verdict=Verdict.NO_IMAGE, http_status=204), None),
        (Judgement(verdict=Verdict.THROTTLED, http_status=429, counted=False), 0.0),
        (Judgement(verdict=Verdict.OVERLOADED, http_status=503, counted=False), 0.0),
        (Judgement(verdict=Verdict.NETWORK, counted=False), 0.0),
        (Judgement(verdict=Verdict.NETWORK, unknown=True), None),
        (Judgement(verdict=Verdict.TIMEOUT, http_status=504, unknown=True), None),
        (Judgement(verdict=Verdict.INTERRUPTED, unknown=True), None),
    ],
    ids=lambda value: f"{value.verdict}-{value.http_status}" if isinstance(value, Judgement) else "",
)
def test_what_a_call_is_charged(judged, usd):
    assert charged(judged, DEFAULT, 0.04) == (pytest.approx(usd) if usd else usd)


def test_a_usage_beyond_belief_is_no_bill():
    tokens = Tokens(output_image=1120 * ABSURD)
    judged = Judgement(verdict=Verdict.IMAGE, http_status=200, images=1, tokens=tokens)

    assert charged(judged, DEFAULT, 0.03) is None
    assert charged(judged, DEFAULT, None) == cost(DEFAULT, tokens)


def test_the_readme_says_what_a_picture_costs():
    assert "4 to 5 cents a picture of 1K with the default model" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
    assert 0.04 <= estimate(DEFAULT, None, 1, 100) <= 0.05
