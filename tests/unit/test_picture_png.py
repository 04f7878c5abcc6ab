from __future__ import annotations

import io
import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from pipeline.picture import BadPicture, verify
from pipeline.picture.png import decodes, lacks_rows


def png(mode: str = "RGB", size: tuple[int, int] = (37, 23), **options) -> bytes:
    noise = random.Random(1).randbytes(size[0] * size[1] * 8)
    image = Image.frombytes("RGBA", size, noise[: size[0] * size[1] * 4]).convert(mode)
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def joined(parts: list[tuple[bytes, bytes]]) -> bytes:
    made = b"\x89PNG\r\n\x1a\n"
    for kind, body in parts:
        made += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return made


def with_rows(data: bytes, change) -> bytes:
    """*data* with its inflated rows changed, and every checksum right again."""
    parts = chunks(data)
    rows = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    idat = (b"IDAT", zlib.compress(change(rows)))
    return joined([part for part in parts if part[0] not in (b"IDAT", b"IEND")] + [idat, (b"IEND", b"")])


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_plain_picture_is_known_at_once(mode):
    data = png(mode)

    assert decodes(memoryview(data))
    assert (verify(data).width, verify(data).height) == (37, 23)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_a_picture_whose_last_rows_are_missing_is_cut_off_though_its_stream_ends(mode, kept):
    whole = png(mode)
    short = with_rows(whole, lambda rows: rows[: int(len(rows) * kept)])

    assert not lacks_rows(memoryview(whole))
    with pytest.raises(BadPicture, match="cut off"):
        verify(short)


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 9), (9, 1), (33, 20)])
def test_an_interlaced_picture_has_as_many_bytes_as_its_passes(size):
    width, height = size
    passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]
    columns = [-(-(width - left) // across) for left, _, across, _ in passes]
    rows = [-(-(height - top) // down) for _, top, _, down in passes]
    pixels = b"".join(
        (b"\0" + bytes(3 * wide)) * max(high, 0) for wide, high in zip(columns, rows, strict=True) if wide > 0
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    whole, short = (
        joined([(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")])
        for data in (pixels, pixels[:-1])
    )

    assert verify(whole).width == width
    assert not lacks_rows(memoryview(whole))
    with pytest.raises(BadPicture, match="cut off"):
        verify(short)


@pytest.mark.parametrize("data", [png("P"), png("1"), b"", b"\x89PNG\r\n\x1a\n", b"x" * 100], ids=len)
def test_what_is_not_plain_is_left_to_pillow(data):
    assert not decodes(memoryview(data))


def test_a_palette_is_decoded_by_pillow():
    assert verify(png("P")).mime_type == "image/png"


def test_text_beside_the_picture_does_no_harm():
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "C2PA and the like", zip=True)

    assert decodes(memoryview(png(pnginfo=info)))


def test_bytes_after_the_picture_are_let_be():
    assert decodes(memoryview(png() + b"more"))


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[:-1],
        lambda rows: rows + b"\0",
        lambda rows: b"\5" + rows[1:],
        lambda rows: rows[: 37 * 3 + 1] + b"\xff" + rows[37 * 3 + 2 :],
        lambda _: b"",
    ],
    ids=["short", "long", "filter", "filter of the second row", "empty"],
)
def test_wrong_rows_do_not_pass(change):
    assert not decodes(memoryview(with_rows(png(), change)))


def test_rows_that_are_right_pass_however_they_are_cut():
    parts = chunks(with_rows(png(), lambda rows: rows))
    cut = [
        piece
        for kind, body in parts
        for piece in (
            [(kind, body[at : at + 7]) for at in range(0, len(body), 7)]
            if kind == b"IDAT"
            else [(kind, body)]
        )
    ]

    assert decodes(memoryview(joined(cut)))


def test_a_checksum_of_the_rows_that_is_wrong_does_not_pass():
    parts = [
        (kind, body[:-1] + bytes([body[-1] ^ 1]) if kind == b"IDAT" else body) for kind, body in chunks(png())
    ]

    assert not decodes(memoryview(joined(parts)))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_what_passes_would_decode(data):
    """Whatever is done to the bytes: a yes of ours is a yes of Pillow's."""
    whole = bytearray(png("RGB", (16, 16)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    damaged = bytes(whole)

    if decodes(memoryview(damaged)):
        with Image.open(io.BytesIO(damaged)) as image:
            image.load()
    else:
        assert damaged != png("RGB", (16, 16))


@pytest.mark.parametrize("size", [(1, 1), (511, 700), (1024, 1024), (2048, 1500)])
@pytest.mark.parametrize("chunk", [1, 1_000, 65_536, 1 << 30])
def test_pieces_are_cut_anywhere(size, chunk):
    noise = random.Random(2).randbytes(size[0] * size[1] * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(file, "PNG", compress_level=1)
    parts = chunks(file.getvalue())
    body = b"".join(data for kind, data in parts if kind == b"IDAT")
    cut = [(b"IDAT", body[at : at + chunk]) for at in range(0, min(len(body), 500 * chunk), chunk)]
    rest = (b"IDAT", body[500 * chunk :])
    made = joined([parts[0], *cut, rest, (b"IEND", b"")])

    assert decodes(memoryview(made))
    assert not decodes(memoryview(joined([parts[0], *cut[:-1], (b"IEND", b"")])))


@pytest.mark.parametrize("size", [(4096, 4096), (10_000, 300)])
def test_one_colour_unpacks_a_thousandfold(size):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "PNG")

    assert decodes(memoryview(file.getvalue()))
