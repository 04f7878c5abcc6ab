from __future__ import annotations

import pytest

from pipeline.errors import InvalidInput
from pipeline.picture import check_kind, sniff

HEADS = [
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    (b"GIF89a\1\0\1\0", "image/gif"),
    (b"BM" + bytes(12) + b"\x28\0\0\0", "image/bmp"),
    (b"II*\0\x08\0\0\0", "image/tiff"),
    (b"MM\0*\0\0\0\x08", "image/tiff"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf", "image/heif"),
    (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif"),
    (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "image/avif"),
    (b"\0\0\0\x18ftypmsf1\0\0\0\0msf1hevc", "image/heif"),
    (b"\0\0\0\x18ftypheix\0\0\0\0mif1heix", "image/heic"),
    (b"\0\0\0\x18ftyphevc\0\0\0\0msf1hevc", "image/heic"),
    (b"\0\0\0\x1cftypavis\0\0\0\0avismsf1", "image/avif"),
    # Brands that say less than those they are compatible with.
    (b"\0\0\0\x1cftypheif\0\0\0\0mif1heic", "image/heic"),
    (b"\0\0\0\x1cftypMA1B\0\0\0\0miafavif", "image/avif"),
    (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "video/mp4"),
    (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video/quicktime"),
    (b"\0\0\0\x14ftyp3gp4\0\0\0\0", "video/3gpp"),
    (b"\0\0\0\x20ftypM4A \0\0\0\0", "audio/mp4"),
    (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webm", "video/webm"),
    (b"\x1aE\xdf\xa3\xa3B\x86\x81\1", "video/x-matroska"),
    (b"RIFF\x10\0\0\0AVI LIST", "video/x-msvideo"),
    (b"RIFF\x10\0\0\0WAVEfmt ", "audio/wav"),
    (b"ID3\4\0\0", "audio/mpeg"),
    (b"\xff\xfb\x90\x64", "audio/mpeg"),
    (b"OggS\0\2", "audio/ogg"),
    (b"fLaC\0\0\0\x22", "audio/flac"),
    (b"%PDF-1.7\n", "application/pdf"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'>", "image/svg+xml"),
    (b"\xef\xbb\xbf<?xml version='1.0'?><svg>", "image/svg+xml"),
    (b"<?xml version='1.0'?><note>", "text/xml"),
    (b"<!DOCTYPE html><html>", "text/html"),
    (b"PK\3\4", "application/zip"),
    (b"II*\0\x10\0\0\0CR\2\0", "image/x-canon-cr2"),
    (b"\0\0\x0a" + bytes(9) + b"\x28\0\x1e\0\x20\x08", "image/x-tga"),
    (b"\0\1\1\0\0\0\1\x18\0\0\0\0\x28\0\x1e\0\x08\x20", "image/x-tga"),
    (b"\n\5\1\x08\0\0\0\0\x27\0\x1d\0", "image/x-pcx"),
    (b"\x01\xda\x01\x01\0\3", "image/x-sgi"),
    (b"qoif\0\0\0\x28", "image/qoi"),
    (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "image/x-canon-cr3"),
]


@pytest.mark.parametrize(("head", "mime_type"), HEADS, ids=[mime_type for _, mime_type in HEADS])
def test_a_file_is_known_by_its_first_bytes(head, mime_type):
    assert sniff(head) == mime_type


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"hello, world",
        b"BMW drives well, and so on and on",
        b"\0" * 64,
        b"\n" * 64,
        b"RIFF",
        b"\0\0\2" + b"\0" * 61,
        b"\0\0\2\0\1\0\x20\x20" + b"\1\0" * 28,  # a cursor
        b"\0\0\2" + b"\1" * 61,
        b"\1\xda\0\2" + b"\1" * 60,
    ],
)
def test_other_bytes_are_nothing_known(head):
    assert sniff(head) is None


@pytest.mark.parametrize(
    ("mime_type", "code", "says"),
    [
        (None, "not_a_picture", "not a picture"),
        ("video/mp4", "audio_or_video", "a video"),
        ("audio/wav", "audio_or_video", "an audio file"),
        ("application/pdf", "unsupported", "a PDF"),
        ("image/svg+xml", "unsupported", "an SVG drawing"),
        ("image/x-canon-cr2", "unsupported", "raw file"),
        ("image/x-xcf", "unsupported", "a GIMP project"),
        ("image/of-tomorrow", "unsupported", "image/of-tomorrow"),
        ("text/html", "not_a_picture", "a web page"),
        ("application/zip", "not_a_picture", "a ZIP archive"),
    ],
)
def test_what_cannot_be_sent_is_named_with_its_mend(mime_type, code, says):
    with pytest.raises(InvalidInput) as caught:
        check_kind(mime_type, "a/b.jpg")

    assert caught.value.code == code
    assert says in caught.value.message
    assert "a/b.jpg" in caught.value.message
    assert ": " in caught.value.message
