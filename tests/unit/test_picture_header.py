"""What the first 64 bytes tell of a picture's size."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import InvalidInput
from pipeline.picture import admit, sniff
from pipeline.picture.header import size_in

SAVED = {
    "png": {"format": "PNG"},
    "gif": {"format": "GIF"},
    "bmp": {"format": "BMP"},
    "webp lossy": {"format": "WEBP"},
    "webp lossless": {"format": "WEBP", "lossless": True},
    "webp extended": {"format": "WEBP", "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"},
}


@pytest.mark.parametrize("how", SAVED.values(), ids=SAVED)
@pytest.mark.parametrize("size", [(1, 1), (300, 7), (7, 300), (1021, 513)])
def test_the_size_is_what_the_decoder_says(how, size):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, **how)
    head = file.getvalue()[:64]

    assert size_in(head, sniff(head)) == size


@given(st.binary(max_size=64), st.sampled_from(["image/png", "image/gif", "image/bmp", "image/webp", "x/y"]))
def test_no_bytes_break_it(head, mime_type):
    found = size_in(head, mime_type)
    assert found is None or all(edge >= 0 for edge in found)


BOMBS = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000) + b"\x08\2\0\0\0",
    "gif": b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + bytes(20),
    "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 50_000, -50_000) + bytes(20),
    "webp": b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\xff\x01\xff\xff\x01" + bytes(20),
    "psd": b"8BPS\0\1" + bytes(6) + b"\0\3" + struct.pack(">II", 30_000, 30_000) + bytes(20),
}


@pytest.mark.parametrize("head", BOMBS.values(), ids=BOMBS)
def test_a_bomb_shows_at_once(head):
    with pytest.raises(InvalidInput, match=r"it unpacks to .* pixels; the limit is") as refused:
        admit(head[:64], 5000, "bomb")
    assert refused.value.code == "bomb"
