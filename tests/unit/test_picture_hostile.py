from __future__ import annotations

import io

import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import InvalidInput
from pipeline.picture import BadPicture, discard, prepare, verify

pillow_heif.register_heif_opener()


def seed(kind, mode="RGB"):
    data = io.BytesIO()
    Image.effect_noise((24, 16), 80).convert(mode).save(data, kind)
    return data.getvalue()


ANSWERS = [seed("PNG"), seed("PNG", "P"), seed("JPEG"), seed("WEBP"), seed("GIF"), seed("AVIF"), seed("HEIF")]
INPUTS = [*ANSWERS, seed("TIFF"), seed("BMP"), seed("JPEG2000"), seed("PPM"), seed("ICO")]


def mutated(seeds):
    """A picture with a few bytes changed, a piece cut out and a piece put in."""
    changes = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8)
    cut = st.tuples(st.integers(0, 4000), st.integers(0, 60))
    return st.builds(_mutate, st.sampled_from(seeds), changes, cut, st.binary(max_size=16))


def _mutate(data, changes, cut, extra):
    result = bytearray(data)
    for at, value in changes:
        result[at % len(result)] = value
    at = cut[0] % len(result)
    result[at : at + cut[1]] = extra
    return bytes(result)


@settings(max_examples=250, deadline=None)
@given(st.one_of(mutated(ANSWERS), st.binary(max_size=200)))
def test_no_answer_brings_the_program_down(data):
    try:
        picture = verify(data)
    except BadPicture:
        return
    assert picture.width > 0


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=mutated(INPUTS))
def test_no_input_brings_the_program_down(tmp_path, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    try:
        sent = prepare(path, tmp_path / "spool")
    except InvalidInput:
        return
    assert sent.bytes > 0
    discard([sent])


@pytest.mark.parametrize("data", ANSWERS, ids=["png", "palette", "jpeg", "webp", "gif", "avif", "heic"])
def test_every_cut_of_an_answer_is_judged(data):
    for end in range(0, len(data), 7):
        try:
            verify(data[:end])
        except BadPicture:
            continue
