from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from pipeline.job import folder
from pipeline.picture import BadPicture, SentPicture, answer, is_unchanged, verify

pillow_heif.register_heif_opener()


def encoded(kind, size=(64, 48), **options):
    image = Image.effect_noise(size, 60).convert("RGB")
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview], ids=["bytes", "bytearray", "memoryview"])
@pytest.mark.parametrize(
    ("kind", "mime_type", "extension"),
    [
        ("PNG", "image/png", "png"),
        ("JPEG", "image/jpeg", "jpg"),
        ("WEBP", "image/webp", "webp"),
        ("GIF", "image/gif", "gif"),
        ("AVIF", "image/avif", "avif"),
        ("HEIF", "image/heic", "heic"),
    ],
)
def test_a_whole_picture_is_verified_by_its_bytes(kind, mime_type, extension, wrap):
    data = encoded(kind)

    picture = verify(wrap(data))

    assert (picture.mime_type, picture.extension) == (mime_type, extension)
    assert (picture.width, picture.height, picture.bytes) == (64, 48, len(data))
    assert picture.sha256 == hashlib.sha256(data).hexdigest()


def test_every_ending_is_one_by_which_a_picture_without_a_record_is_found():
    assert set(answer.EXTENSIONS.values()) == set(folder.EXTENSIONS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_bytes_after_the_picture_are_let_be(kind):
    assert verify(encoded(kind) + b"trailing" * 100).width == 64


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("missing", [1, 12, 200, 2000])
def test_a_picture_that_is_cut_off_is_bad(kind, missing):
    data = encoded(kind, (200, 200))

    with pytest.raises(BadPicture) as caught:
        verify(data[:-missing])

    assert caught.value.reason


@pytest.mark.parametrize(
    ("kind", "kept"), [("PNG", 8), ("PNG", 20), ("JPEG", 4), ("JPEG", 200), ("AVIF", 100), ("HEIF", 100)]
)
def test_a_picture_that_is_cut_off_early_is_said_to_be(kind, kept):
    with pytest.raises(BadPicture, match="cut off"):
        verify(encoded(kind)[:kept])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_long_colour_profile_costs_no_picture(kind):
    """Pillow takes more than a megabyte of it in a PNG for a bomb."""
    noise = Image.effect_noise((1000, 3000), 90).tobytes()

    assert verify(encoded(kind, icc_profile=noise)).width == 64


def test_metadata_that_unpacks_to_a_hundred_times_its_size_is_bad():
    info = PngImagePlugin.PngInfo()
    info.add_text("bomb", "0" * 60_000_000, zip=True)

    with pytest.raises(BadPicture):
        verify(encoded("PNG", pnginfo=info))


def test_a_flipped_bit_in_the_pixels_of_a_png_is_seen():
    data = bytearray(encoded("PNG", (200, 200)))
    data[len(data) // 2] ^= 0x10

    with pytest.raises(BadPicture):
        verify(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"not a picture at all", "nothing known"),
        (b"<!doctype html><p>Sorry", "text/html"),
        (encoded("TIFF"), "image/tiff"),
        (encoded("BMP"), "image/bmp, no kind that an image model answers with"),
    ],
)
def test_what_an_image_model_does_not_answer_with_is_bad(data, says):
    with pytest.raises(BadPicture, match=says):
        verify(data)


def test_a_bomb_is_bad_before_it_unpacks():
    data = bytearray(encoded("PNG"))
    data[16:24] = (50_000).to_bytes(4, "big") * 2

    with pytest.raises(BadPicture) as caught:
        verify(data)

    assert caught.value.code in ("bomb", "unreadable")


def sent(sha256, original):
    return SentPicture(
        path=Path("a"),
        mime_type="image/png",
        bytes=1,
        sha256=sha256,
        width=1,
        height=1,
        original_sha256=original,
        original_mime_type="image/gif",
    )


def test_an_answer_is_unchanged_only_if_its_bytes_are_an_inputs():
    pictures = [sent("aa", "bb"), sent("cc", "cc")]

    assert is_unchanged("aa", pictures)
    assert is_unchanged("bb", pictures)
    assert is_unchanged("cc", pictures)
    assert not is_unchanged("dd", pictures)
    assert not is_unchanged("aa", [])
