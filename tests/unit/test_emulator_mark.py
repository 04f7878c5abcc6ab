"""The mark tells whose picture it is, or nothing at all."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.gemini.emulator.mark import paint_mark, read_mark


def _encoded(picture: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, file_format, **options)
    return target.getvalue()


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet="abcXYZ0189._~:-", min_size=1, max_size=40), st.sampled_from([160, 352, 500, 1024]))
def test_a_token_comes_back_out_of_a_picture(token, width):
    """What is painted is read, whatever the width."""
    picture = Image.new("RGB", (width, 400), "gray")
    assert paint_mark(picture, token)
    assert read_mark(_encoded(picture)) == token


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_the_mark_survives_jpeg(quality):
    """Blocks lie on JPEG's own grid."""
    picture = Image.effect_noise((640, 480), 90).convert("RGB")
    paint_mark(picture, "row-17")
    assert read_mark(_encoded(picture, "JPEG", quality=quality)) == "row-17"


def test_a_picture_without_a_mark_reads_as_none():
    """Neither an even picture nor one too small is taken for marked."""
    assert read_mark(_encoded(Image.new("RGB", (300, 300), "white"))) is None
    assert read_mark(_encoded(Image.new("RGB", (4, 4)))) is None
    assert read_mark(b"no picture") is None


def test_a_damaged_mark_reads_as_none_and_never_as_another_token():
    """The checksum covers every block."""
    picture = Image.new("RGB", (320, 240), "gray")
    paint_mark(picture, "row-1")
    picture.paste("white", (8 * 20, 0, 8 * 24, 8))
    assert read_mark(_encoded(picture)) is None


def test_a_picture_too_small_for_the_mark_is_left_alone():
    """No half marks."""
    picture = Image.new("RGB", (24, 24), "gray")
    assert not paint_mark(picture, "row-1")
    assert picture.getcolors() == [(576, (128, 128, 128))]
