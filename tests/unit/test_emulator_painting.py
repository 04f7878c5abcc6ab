"""Pictures in, pictures out: decoded whole, of the right shape, visibly edited, marked."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops

from pipeline.gemini.emulator.catalogue import MODELS
from pipeline.gemini.emulator.google_errors import WireError
from pipeline.gemini.emulator.mark import read_mark
from pipeline.gemini.emulator.painting import Studio
from pipeline.gemini.emulator.request import EditRequest


def encoded(size=(120, 80), file_format="PNG", **options) -> bytes:
    target = io.BytesIO()
    slope = Image.linear_gradient("L").resize(size)
    Image.merge("RGB", (slope, slope.rotate(180), Image.linear_gradient("L").rotate(90).resize(size))).save(
        target, file_format, **options
    )
    return target.getvalue()


def request(prompt="make it blue", pictures=(), ratio=None, model="gemini-nano-banana-2.1", token="row-1"):
    return EditRequest(
        model=MODELS[model],
        prompt=prompt,
        pictures=tuple(pictures),
        modalities=frozenset({"IMAGE"}),
        ratio=ratio,
        size="1K",
        token=token,
    )


def painted(asked, studio=None) -> Image.Image:
    studio = studio or Studio(shrink=6)
    picture = studio.paint(asked, studio.open_inputs(asked))
    assert read_mark(picture.data) == asked.token
    return Image.open(io.BytesIO(picture.data))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "HEIF"])
def test_every_format_of_the_list_is_read(file_format):
    """HEIC and HEIF are on it."""
    assert painted(request(pictures=[encoded(file_format=file_format)])).size == (round(1264 / 5.3), 160)


@pytest.mark.parametrize(
    "data", [b"", b"no picture", encoded((2000, 2000), "JPEG")[:9000], encoded(file_format="GIF")]
)
def test_a_picture_that_does_not_decode_whole_is_a_400(data):
    """Whatever its MIME type said."""
    with pytest.raises(WireError, match="Unable to process input image"):
        Studio().open_inputs(request(pictures=[data]))


def test_the_picture_lies_as_its_exif_says():
    """A camera's upright picture stays upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = painted(request(pictures=[encoded((120, 80), "JPEG", exif=exif)]))
    assert picture.height > picture.width


def test_without_input_the_prompt_alone_makes_the_picture():
    """A square, unless a ratio is asked for."""
    assert painted(request()).size == (171, 171)
    assert painted(request(ratio="9:16")).size == (160, round(1376 / 4.8))
    one, other = painted(request("a red bicycle")), painted(request("a blue door"))
    assert ImageChops.difference(one, other).getbbox()


def test_full_size_is_the_grid_of_the_model():
    """Pixels of section 1.2; the 2.5 model has its own."""
    assert painted(request(ratio="16:9"), Studio()).size == (1376, 768)
    assert painted(request(ratio="16:9", model="gemini-2.5-flash-image"), Studio()).size == (1344, 768)


@pytest.mark.parametrize("word", ["sepia", "blur", "mirror", "invert", "sketch", "poster", "grayscale"])
def test_the_prompt_is_followed_where_the_emulator_knows_the_word(word):
    """So that a demo shows edits."""
    picture = encoded((160, 90))
    plain, edited = painted(request(" " * 4, [picture])), painted(request(word, [picture]))
    box = (0, 60, plain.width, 120)  # between mark and caption
    assert ImageChops.difference(plain.crop(box), edited.crop(box)).getbbox()


def test_further_pictures_stand_in_the_collage():
    """Each changes the picture."""
    first, second = encoded((160, 90)), encoded((90, 90))
    one, both = painted(request("x", [first])), painted(request("x", [first, second]))
    assert ImageChops.difference(one, both).getbbox()


def test_odd_prompts_are_drawn_too():
    """Empty ones, long ones, ones in other scripts."""
    for prompt in ("", "long " * 500, "猫を青く", "\ud800 broken", "line\n\nline"):
        painted(request(prompt))


def test_jpeg_is_made_on_demand():
    """The mark is readable in it."""
    assert painted(request(), Studio(format="jpeg", shrink=4)).format == "JPEG"
