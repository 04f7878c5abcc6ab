"""The type of a file, by its first bytes and never by its name. Pure."""

from __future__ import annotations

import struct

from pipeline.errors import InvalidInput

#: How many bytes :func:`sniff` looks at.
HEAD = 64

#: Accepted by the API unchanged (gemini-api.md 1.2, "Input mimes").
SENT = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})

#: Converted without loss to PNG before they are sent.
CONVERTED = frozenset(
    {
        "image/gif",
        "image/bmp",
        "image/tiff",
        "image/avif",
        "image/jp2",
        "image/x-portable-anymap",
        "image/vnd.adobe.photoshop",
        "image/x-icon",
        "image/x-tga",
        "image/x-pcx",
        "image/x-sgi",
        "image/qoi",
    }
)

#: Those of them that may have several frames or pages, of which only the first is sent.
SEVERAL = frozenset({"image/gif", "image/tiff", "image/avif"})

#: (offset, bytes, type); the first match wins.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"CR\x02", "image/x-canon-cr2"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"IIRO", "image/x-olympus-orf"),
    (0, b"IIU\0", "image/x-panasonic-rw2"),
    (0, b"FUJIFILMCCD-RAW", "image/x-fuji-raf"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/jp2"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"qoif", "image/qoi"),
    # Eight bits per channel; of sixteen, Pillow would only keep half.
    (0, b"\x01\xda\0\x01", "image/x-sgi"),
    (0, b"\x01\xda\x01\x01", "image/x-sgi"),
    (0, b"icns", "image/icns"),
    (0, b"gimp xcf", "image/x-xcf"),
    (0, b"\x76\x2f\x31\x01", "image/x-exr"),
    (0, b"#?RADIANCE", "image/vnd.radiance"),
    (0, b"DDS |\0\0\0", "image/vnd-ms.dds"),
    (0, b"SIMPLE  =", "image/fits"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS", "application/postscript"),
    (0, b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"\xff\xf3", "audio/mpeg"),
    (0, b"\xff\xf2", "audio/mpeg"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"#!AMR", "audio/amr"),
    (0, b"MThd", "audio/midi"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"\0\0\x01\xb3", "video/mpeg"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "video/x-ms-asf"),
    (4, b"moov", "video/quicktime"),
    (4, b"mdat", "video/quicktime"),
    (4, b"wide", "video/quicktime"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
)

_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}

#: Major brands of ISO base media files (heic, avif, mp4 and kin).
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P "), "audio/mp4"),
    b"qt  ": "video/quicktime",
    b"crx ": "image/x-canon-cr3",
}
_GENERIC_BRANDS = frozenset({b"mif1", b"msf1", b"mif2", b"miaf"})
_TARGA = "<BBBHHBHHHHBB"
_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

_NAMES = {
    "application/pdf": "a PDF",
    "application/postscript": "a PostScript file",
    "application/zip": "a ZIP archive",
    "application/gzip": "a gzip archive",
    "image/svg+xml": "an SVG drawing",
    "text/html": "a web page",
    "text/xml": "an XML file",
    "image/jxl": "a JPEG XL picture",
    "image/icns": "a Macintosh icon",
    "image/x-xcf": "a GIMP project",
    "image/x-exr": "an OpenEXR picture",
    "image/vnd.radiance": "a Radiance HDR picture",
    "image/vnd-ms.dds": "a DDS texture",
    "image/fits": "a FITS picture",
}
_PHOTO_RAW = frozenset(
    {
        "image/x-canon-cr2",
        "image/x-canon-cr3",
        "image/x-olympus-orf",
        "image/x-panasonic-rw2",
        "image/x-fuji-raf",
    }
)
_DOCUMENTS = frozenset({"application/pdf", "application/postscript"})


def sniff(head: bytes) -> str | None:
    """The media type of a file that begins with *head* (its first 64 bytes); ``None`` if unknown."""
    for offset, signature, mime_type in _SIGNATURES:
        if head.startswith(signature, offset):
            return mime_type
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in head else "video/x-matroska"
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return "audio/aiff"
    return _bitmap(head) or _markup(head)


def check_kind(mime_type: str | None, name: str) -> str:
    """*mime_type* again, if a picture of that type can be sent, unchanged or converted.

    Raises:
        InvalidInput: *name* is not a picture, or one that cannot be read here.
    """
    if mime_type in SENT or mime_type in CONVERTED:
        return str(mime_type)
    if mime_type is None:
        raise InvalidInput("not_a_picture", f"{name} is not a picture: use a PNG, JPEG, WebP or HEIC file")
    kind = mime_type.partition("/")[0]
    if kind in ("audio", "video"):
        article = "an audio file" if kind == "audio" else "a video"
        raise InvalidInput("audio_or_video", f"{name} is {article} ({mime_type}): name a picture instead")
    what = "a camera's raw file" if mime_type in _PHOTO_RAW else _NAMES.get(mime_type, mime_type)
    if kind == "image" or mime_type in _DOCUMENTS:
        raise InvalidInput("unsupported", f"{name} is {what}, which cannot be sent: save it as PNG or JPEG")
    raise InvalidInput(
        "not_a_picture", f"{name} is {what}, not a picture: use a PNG, JPEG, WebP or HEIC file"
    )


def _iso_media(head: bytes) -> str:
    major = head[8:12]
    if major in _BRANDS:
        return _BRANDS[major]
    length = int.from_bytes(head[:4], "big")
    brands = {major, *(head[at : at + 4] for at in range(16, min(length, len(head)) - 3, 4))}
    if brands & _GENERIC_BRANDS:
        # A still in the generic container: the compatible brands say which codec.
        if brands & {b"avif", b"avis"}:
            return "image/avif"
        return "image/heic" if brands & {b"heic", b"heix"} else "image/heif"
    return "video/3gpp" if major[:3] in (b"3gp", b"3g2") else "video/mp4"


def _bitmap(head: bytes) -> str | None:
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in (b"\n", b"\r", b" ", b"\t"):
        return "image/x-portable-anymap"
    if head[:1] == b"\n" and head[1:2] in b"\0\2\3\4\5" and head[2:3] == b"\1" and head[3:4] in b"\1\2\4\x08":
        return "image/x-pcx"
    return "image/x-tga" if _is_targa(head) else None


def _is_targa(head: bytes) -> bool:
    """Whether *head* can be that of a TGA, which has no signature but in the newer ones' last bytes.

    Its fields must agree with each other: colours with their map, or without one and then nothing said of it.
    """
    if len(head) < 18:
        return False
    _, has_map, kind, _, map_length, map_bits, _, _, width, height, bits, flags = struct.unpack_from(
        _TARGA, head
    )
    if not width or not height or flags & 0xC0:
        return False
    if kind in (1, 9):
        return has_map == 1 and 0 < map_length <= 256 and map_bits in (15, 16, 24, 32) and bits == 8
    depths = {2: (15, 16, 24, 32), 10: (15, 16, 24, 32), 3: (8, 16), 11: (8, 16)}.get(kind, ())
    return not has_map and head[3:8] == bytes(5) and bits in depths


def _markup(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "text/html"
    if b"<svg" in text or text.startswith(b"<!doctype svg"):
        return "image/svg+xml"
    return "text/xml" if text.startswith(b"<?xml") else None
