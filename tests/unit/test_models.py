from __future__ import annotations

import pytest

from pipeline.models import Catalogue, Model, ModelState, catalogue

DEFAULT = "gemini-nano-banana-2.1"


def model(name) -> Model:
    found = catalogue().find(name)
    assert found is not None
    return found


def test_the_catalogue_is_read_once_and_knows_its_day():
    assert isinstance(catalogue(), Catalogue)
    assert catalogue() is catalogue()
    assert catalogue().as_of.isoformat() == "2026-11-22"


def test_the_default_is_a_living_model():
    assert catalogue().default == DEFAULT
    assert model(DEFAULT).state is ModelState.GA


def test_ids_and_aliases_are_unique_and_successors_live():
    names = [name for each in catalogue().models for name in (each.id, *each.aliases)]

    assert len(names) == len(set(names))
    for each in catalogue().models:
        if each.state in (ModelState.SHUT, ModelState.DEPRECATED):
            assert model(each.successor).state is ModelState.GA
        if each.state is not ModelState.SHUT:
            assert each.prices
            assert each.default_size in each.image_tokens
            assert set(each.sizes) <= set(each.image_tokens)
        assert each.sources
        assert each.confidence in ("H", "M", "L")


@pytest.mark.parametrize(
    "name", ["gemini-3-pro-image", "nano-banana-pro-preview", "models/gemini-3-pro-image"]
)
def test_a_model_is_found_by_every_name_it_has(name):
    assert model(name).id == "gemini-3-pro-image"


def test_an_unknown_model_is_nothing_known():
    assert catalogue().find("gemini-9-image") is None


@pytest.mark.parametrize(
    ("name", "size", "dollars"),
    [
        (DEFAULT, "1K", 0.0336),
        (DEFAULT, "2K", 0.0504),
        (DEFAULT, "4K", 0.1134),
        ("gemini-3.1-flash-image", "512", 0.045),
        ("gemini-3.1-flash-image", "1K", 0.067),
        ("gemini-3.1-flash-image", "2K", 0.101),
        ("gemini-3.1-flash-image", "4K", 0.151),
        ("gemini-3.1-flash-lite-image", "1K", 0.0336),
        ("gemini-3-pro-image", "1K", 0.134),
        ("gemini-3-pro-image", "2K", 0.134),
        ("gemini-3-pro-image", "4K", 0.24),
        ("gemini-2.5-flash-image", "1K", 0.039),
    ],
)
def test_a_picture_costs_what_the_price_page_says(name, size, dollars):
    assert model(name).image_price(size) == pytest.approx(dollars, abs=0.0005)


def test_a_price_that_is_not_listed_is_not_known():
    assert model(DEFAULT).image_price("512") is None


@pytest.mark.parametrize(
    ("name", "ratio", "size", "inputs", "says"),
    [
        (DEFAULT, None, "512", 1, ["512", "1K, 2K or 4K"]),
        (DEFAULT, None, "2k", 1, ["'2k'", "'2K'"]),
        (DEFAULT, "16x9", None, 1, ["'16x9'", "'16:9'"]),
        (DEFAULT, "7:5", None, 1, ["'7:5'", "21:9"]),
        (DEFAULT, None, None, 15, ["14", "15"]),
        ("gemini-3-pro-image", "1:4", "2K", 1, ["'1:4'", "16:9"]),
        ("gemini-3.1-flash-lite-image", None, "2K", 1, ["'2K'", "use 1K"]),
        ("gemini-2.5-flash-image", None, "1K", 1, ["no image size"]),
        ("gemini-3-pro-image-preview", None, None, 1, ["2026-06-25", "use gemini-3-pro-image"]),
        ("imagen-4.0-generate-001", None, None, 0, ["was shut", DEFAULT]),
    ],
)
def test_what_the_api_would_refuse_is_said_with_the_legal_values(name, ratio, size, inputs, says):
    fault = model(name).fault(ratio, size, inputs)

    assert fault is not None
    assert name in fault or "must be written" in fault
    for words in says:
        assert words in fault


@pytest.mark.parametrize(
    ("name", "ratio", "size"),
    [
        (DEFAULT, None, None),
        (DEFAULT, "1:8", "4K"),
        ("gemini-3.1-flash-image", "21:9", "512"),
        ("gemini-3-pro-image", "21:9", "4K"),
        ("gemini-3.1-flash-lite-image", "4:1", "1K"),
        ("gemini-2.5-flash-image", "16:9", None),
    ],
)
def test_what_the_api_takes_is_no_fault(name, ratio, size):
    assert model(name).fault(ratio, size, 14) is None


def test_a_deprecated_model_only_warns():
    old = model("gemini-3.1-flash-image")

    assert old.fault("1:1", "1K", 1) is None
    assert DEFAULT in (old.warning or "")
    assert "2027-03-15" in (model("gemini-2.5-flash-image").warning or "")
    assert model(DEFAULT).warning is None
