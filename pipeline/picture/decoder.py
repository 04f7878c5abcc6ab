"""The one door to Pillow: a closed list of decoders, opened by what the bytes are, with every fault caught.

Decoders are called directly rather than through ``Image.open``: nothing but the type that was sniffed can be
reached, and the size is checked by us, since ``Image.open`` warns between one and two times its limit and
Python's warnings cannot be caught in one thread alone.
"""

from __future__ import annotations

import contextlib
import importlib
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import IO, Any, cast

from PIL import Image

from pipeline.errors import RetouchError

#: Where Pillow itself calls a picture a bomb (twice ``Image.MAX_IMAGE_PIXELS``); a file that is sent as it is
#: and never decoded here may be as large.
MAX_PIXELS = 178_956_970

#: Decoded here, a picture costs four bytes a pixel: Pillow's own limit without a warning, 358 MB.
MAX_DECODED_PIXELS = 89_478_485

#: Above this, pictures are decoded two at a time: a dozen answers of 4K would stand in most of a gigabyte.
BIG_PIXELS = 4_500_000

#: Bytes that one piece of a PNG's metadata may unpack to, a colour profile for one; Pillow stops at 1 MB.
MAX_METADATA = 16 << 20

_DECODERS = {
    "image/png": ("PIL.PngImagePlugin", "PngImageFile"),
    "image/jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "image/webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "image/gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "image/bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "image/tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "image/avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "image/jp2": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "image/x-portable-anymap": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "image/vnd.adobe.photoshop": ("PIL.PsdImagePlugin", "PsdImageFile"),
    "image/x-icon": ("PIL.IcoImagePlugin", "IcoImageFile"),
    "image/x-tga": ("PIL.TgaImagePlugin", "TgaImageFile"),
    "image/x-pcx": ("PIL.PcxImagePlugin", "PcxImageFile"),
    "image/x-sgi": ("PIL.SgiImagePlugin", "SgiImageFile"),
    "image/qoi": ("PIL.QoiImagePlugin", "QoiImageFile"),
    "image/heic": ("pillow_heif", "HeifImageFile"),
    "image/heif": ("pillow_heif", "HeifImageFile"),
}

_two_big_at_a_time = threading.BoundedSemaphore(2)

# Raised instead of printed: a frame or tile larger than its picture is a bomb, never a line on stderr.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class BadPicture(Exception):  # noqa: N818 - it names what the bytes are
    """Bytes that are no whole picture.

    Attributes:
        code: ``unreadable``, ``bomb`` or ``unsupported``.
        reason: half a sentence, such as "it is cut off".
    """

    def __init__(self, reason: str, code: str = "unreadable") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


@contextlib.contextmanager
def opened(file: IO[bytes], mime_type: str, max_pixels: int) -> Iterator[Image.Image]:
    """The picture in *file*, its header read and its size checked; closed at the end, *file* is not.

    Raises:
        BadPicture: whatever Pillow raised, inside the block too.
    """
    with guarded(), _decoder(mime_type)(file) as image:
        check_pixels(image.width, image.height, max_pixels)
        yield image


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn whatever a decoder raises on hostile bytes into :class:`BadPicture`."""
    try:
        yield
    except (BadPicture, RetouchError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadPicture("it unpacks to more pixels than a picture has", "bomb") from error
    except Exception as error:  # decoders raise struct.error, KeyError, MemoryError, anything
        raise BadPicture(_reason(error)) from error


def decode(file: IO[bytes], mime_type: str, max_pixels: int) -> tuple[int, int]:
    """Decode every pixel of the picture in *file* and let them go at once; its width and height.

    Raises:
        BadPicture: it cannot be decoded whole.
    """
    with opened(file, mime_type, max_pixels) as image:
        size = image.size
        with turn(image):
            image.load()
            image.close()
    return size


@contextlib.contextmanager
def turn(image: Image.Image) -> Iterator[None]:
    """Wait until *image* may take up memory; pictures up to :data:`BIG_PIXELS` need not wait."""
    if image.width * image.height <= BIG_PIXELS:
        yield
        return
    with _two_big_at_a_time:
        yield


def check_pixels(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of more than *max_pixels*."""
    if width * height > max_pixels:
        raise BadPicture(f"it unpacks to {width} x {height} pixels; the limit is {max_pixels:,}", "bomb")


# How Pillow says that bytes are missing.
_OF_A_CUT = ("truncated", "buffer is not large", "requires a buffer")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    cut = isinstance(error, EOFError | struct.error) or any(word in text.lower() for word in _OF_A_CUT)
    # What Pillow says itself is worth reading; what Python says when Pillow stumbles is not.
    said = f" ({text[:120]})" if text and isinstance(error, OSError | SyntaxError) else ""
    return "it is cut off" if cut else f"it cannot be decoded{said}"


@cache
def _decoder(mime_type: str) -> Callable[[IO[bytes]], Any]:
    # Imported when first needed: the decoders together cost 100 ms at the start, and most jobs need one.
    module, name = _DECODERS[mime_type]
    plugin: Any = importlib.import_module(module)
    if mime_type == "image/png":
        plugin.MAX_TEXT_CHUNK = MAX_METADATA
    return cast("Callable[[IO[bytes]], Any]", getattr(plugin, name))
