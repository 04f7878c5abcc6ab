from __future__ import annotations

import hashlib
import io
import os
import struct
import threading
import warnings
import zlib

import pillow_heif
import pytest
from PIL import Image, ImageCms

from pipeline.errors import InvalidInput, StoreError
from pipeline.picture import MAX_BYTES, discard, prepare


@pytest.fixture
def spool(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def gradient(mode="RGB", size=(40, 30)):
    width, height = size
    image = Image.new("RGB", size)
    image.putdata(
        [(x * 255 // width, y * 255 // height, (x * y) % 256) for y in range(height) for x in range(width)]
    )
    return image.convert(mode)


def saved(path, image, **options):
    if path.suffix == ".heic":
        pillow_heif.from_pillow(image).save(path, quality=80)
    else:
        image.save(path, **options)
    return path


def refused(path, spool):
    with pytest.raises(InvalidInput) as caught:
        prepare(path, spool)
    assert list(spool.iterdir()) == []
    return caught.value


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [("a.png", "image/png"), ("a.jpg", "image/jpeg"), ("a.webp", "image/webp"), ("a.heic", "image/heic")],
)
def test_what_the_api_takes_goes_as_it_is(tmp_path, spool, name, mime_type):
    path = saved(tmp_path / name, gradient())
    before = path.read_bytes()

    sent = prepare(path, spool)

    assert sent.path == path
    assert path.read_bytes() == before
    assert (sent.mime_type, sent.width, sent.height, sent.bytes) == (mime_type, 40, 30, len(before))
    assert sent.sha256 == sent.original_sha256 == hashlib.sha256(before).hexdigest()
    assert not sent.temporary
    assert list(spool.iterdir()) == []


def test_the_type_is_the_bytes_not_the_name(tmp_path, spool):
    gradient().save(tmp_path / "really-a-png.jpg", "PNG")

    assert prepare(tmp_path / "really-a-png.jpg", spool).mime_type == "image/png"


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.bmp", "RGB"),
        ("a.tiff", "RGB"),
        ("a.tiff", "RGBA"),
        ("a.tiff", "L"),
        ("a.tiff", "1"),
        ("a.gif", "P"),
        ("a.jp2", "RGB"),
        ("a.ppm", "RGB"),
        ("a.tga", "RGB"),
        ("a.tga", "RGBA"),
        ("a.tga", "L"),
        ("a.tga", "P"),
        ("a.pcx", "RGB"),
        ("a.pcx", "L"),
        ("a.sgi", "RGB"),
        ("a.qoi", "RGBA"),
        ("a.ico", "RGBA"),
    ],
)
def test_other_pictures_become_png_without_loss(tmp_path, spool, name, mode):
    path = saved(tmp_path / name, gradient(mode))
    with Image.open(path) as image:
        wanted = image.convert("RGBA").tobytes()

    sent = prepare(path, spool)

    assert sent.temporary
    assert sent.path.parent == spool
    assert sent.mime_type == "image/png"
    assert sent.original_mime_type != "image/png"
    assert sent.original_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sent.sha256 == hashlib.sha256(sent.path.read_bytes()).hexdigest()
    with Image.open(sent.path) as image:
        assert image.format == "PNG"
        assert image.convert("RGBA").tobytes() == wanted
    discard([sent])
    discard([sent])
    assert list(spool.iterdir()) == []


def test_avif_becomes_png(tmp_path, spool):
    sent = prepare(saved(tmp_path / "a.avif", gradient()), spool)

    assert (sent.mime_type, sent.original_mime_type, sent.width) == ("image/png", "image/avif", 40)


def test_sixteen_bits_of_grey_are_kept(tmp_path, spool):
    values = [n * 61 % 65536 for n in range(1200)]
    grey = Image.frombytes("I;16", (40, 30), struct.pack("<1200H", *values))

    sent = prepare(saved(tmp_path / "a.tiff", grey), spool)

    with Image.open(sent.path) as image:
        assert image.mode == "I;16"
        assert list(struct.unpack("<1200H", image.tobytes())) == values


def test_transparency_of_a_palette_is_kept(tmp_path, spool):
    image = gradient("P")
    path = saved(tmp_path / "a.gif", image, transparency=image.getpixel((3, 3)))

    with Image.open(prepare(path, spool).path) as sent:
        assert sent.convert("RGBA").getpixel((3, 3))[3] == 0


def test_the_colour_profile_is_kept(tmp_path, spool):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path / "a.tiff", gradient(), icc_profile=profile)

    with Image.open(prepare(path, spool).path) as sent:
        assert sent.info["icc_profile"] == profile


def test_an_animation_is_its_first_frame(tmp_path, spool):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])

    with Image.open(prepare(tmp_path / "a.gif", spool).path) as sent:
        assert getattr(sent, "n_frames", 1) == 1
        assert sent.convert("RGB").getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("name", ["a.tiff", "a.avif"])
def test_a_turned_picture_is_turned_once_and_says_no_more_of_it(tmp_path, spool, name):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (0, 0, 20, 20))

    sent = prepare(saved(tmp_path / name, image, exif=exif), spool)

    assert (sent.width, sent.height) == (20, 40)
    with Image.open(sent.path) as turned:
        assert 0x0112 not in turned.getexif()
        red, _, blue = turned.convert("RGB").getpixel((10, 5))
        assert blue > 200 > 60 > red


def test_cmyk_becomes_rgb_without_its_old_profile(tmp_path, spool):
    path = saved(
        tmp_path / "a.tiff", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), icc_profile=b"not a profile"
    )

    with Image.open(prepare(path, spool).path) as sent:
        assert sent.mode == "RGB"
        assert sent.getpixel((0, 0)) == (255, 0, 0)
        assert "icc_profile" not in sent.info


def test_a_picture_that_png_cannot_hold_is_unsupported(tmp_path, spool):
    path = saved(tmp_path / "a.tiff", Image.new("F", (8, 8), 0.5))

    assert refused(path, spool).code == "unsupported"


def test_the_thumbnail_of_a_camera_raw_file_is_not_taken_for_the_picture(tmp_path, spool):
    path = saved(tmp_path / "a.dng", gradient(), format="TIFF", tiffinfo={254: 1})

    fault = refused(path, spool)

    assert fault.code == "unsupported"
    assert "raw" in fault.message


def test_a_file_that_is_not_there_is_missing(tmp_path, spool):
    assert refused(tmp_path / "none.png", spool).code == "missing"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"just some text", "not_a_picture"),
        (b"%PDF-1.7 ...", "unsupported"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "audio_or_video"),
        (b"\x89PNG\r\n\x1a\n", "unreadable"),
        (b"\xff\xd8\xff\xe0", "unreadable"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "unreadable"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "unreadable"),
        (b"GIF89a\1", "unreadable"),
        (b"II*\0\xff\xff\xff\xff", "unreadable"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(tmp_path, spool, data, code):
    path = tmp_path / "x.png"
    path.write_bytes(data)

    fault = refused(path, spool)

    assert fault.code == code
    assert str(path) in fault.message


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.heic", "a.tiff", "a.gif"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_unreadable(tmp_path, spool, name, kept):
    path = saved(tmp_path / name, gradient(size=(200, 150)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])

    assert refused(path, spool).code == "unreadable"


def test_bytes_after_a_jpeg_are_no_fault(tmp_path, spool):
    path = saved(tmp_path / "a.jpg", gradient())
    path.write_bytes(path.read_bytes() + b"what cameras append" * 20_000)

    assert prepare(path, spool).width == 40


def test_a_file_over_the_limit_is_too_large_without_being_read(tmp_path, spool):
    path = saved(tmp_path / "a.png", gradient())
    os.truncate(path, MAX_BYTES + 1)

    fault = refused(path, spool)

    assert fault.code == "too_large"
    assert "500 MB" in fault.message


def bomb(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_and_nothing_is_printed(tmp_path, spool, capfd):
    (tmp_path / "bomb.png").write_bytes(bomb(60_000, 60_000))

    fault = refused(tmp_path / "bomb.png", spool)

    assert fault.code == "bomb"
    assert capfd.readouterr() == ("", "")


def test_a_large_photograph_is_no_bomb_and_draws_no_warning_in_any_thread(tmp_path, spool):
    (tmp_path / "large.png").write_bytes(bomb(12_000, 9_000))
    widths = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [
            threading.Thread(target=lambda: widths.append(prepare(tmp_path / "large.png", spool).width))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert widths == [12_000] * 4
    assert caught == []


def test_a_gif_whose_frame_is_larger_than_itself_is_a_bomb_at_most(tmp_path, spool):
    data = io.BytesIO()
    Image.new("P", (8, 8)).save(data, "GIF")
    raw = bytearray(data.getvalue())
    at = raw.index(b"\x2c", 13 + 3 * 2)
    raw[at + 5 : at + 9] = struct.pack("<HH", 65_535, 65_535)
    (tmp_path / "a.gif").write_bytes(raw)

    assert refused(tmp_path / "a.gif", spool).code in ("bomb", "unreadable")


def test_folders_pipes_and_devices_are_refused_without_waiting(tmp_path, spool):
    os.mkfifo(tmp_path / "pipe")

    assert refused(tmp_path, spool).code == "not_a_picture"
    assert refused(tmp_path / "pipe", spool).code == "not_a_picture"
    with pytest.raises(InvalidInput):
        prepare(tmp_path.__class__("/dev/zero"), spool)


def test_a_spool_that_cannot_be_written_is_not_the_rows_fault(tmp_path):
    path = saved(tmp_path / "a.bmp", gradient())
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match="temporary files"):
        prepare(path, tmp_path / "file")


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.avif"])
def test_it_is_known_that_more_frames_were_left_out(tmp_path, spool, name):
    one, several = tmp_path / f"one-{name}", tmp_path / name
    frames = [gradient(), Image.new("RGB", (40, 30), "red")]
    frames[0].save(one)
    frames[0].save(several, save_all=True, append_images=frames[1:])

    assert not prepare(one, spool).first_of_several
    assert prepare(several, spool).first_of_several


def test_a_second_frame_that_is_damaged_does_not_spoil_the_first(tmp_path, spool):
    frames = [gradient("P"), Image.new("P", (40, 30), 7)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    data = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(data[:-20])

    assert prepare(tmp_path / "a.gif", spool).first_of_several
