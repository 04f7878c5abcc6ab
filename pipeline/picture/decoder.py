"""The only access to Pillow: a fixed list of decoders, chosen by the bytes of the file, with every error caught.

Decoders are called directly instead of through ``Image.open``, so that only the decoder of the detected type can be
reached. The size is checked here, because ``Image.open`` issues a warning between one and two times its limit, and
Python's warnings cannot be caught in a single thread.
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

#: Pillow's own limit for decompression bombs (twice ``Image.MAX_IMAGE_PIXELS``); for files that are sent unchanged
#: and never decoded here.
MAX_PIXELS = 178_956_970

#: For pictures that are decoded here, which takes four bytes per pixel: Pillow's limit for a warning, 358 MB.
MAX_DECODED_PIXELS = 89_478_485

#: Larger pictures are decoded two at a time: a dozen 4K answers would take most of a gigabyte.
BIG_PIXELS = 4_500_000

#: Bytes that one piece of a PNG's metadata, such as a colour profile, may unpack to; Pillow's default is 1 MB.
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

# Raised instead of printed: a frame or tile larger than its picture is a bomb, not a line on stderr.
warnings.simplefilter("error", Image.DecompressionBombWarning)


class BadPicture(Exception):  # noqa: N818 - it names what the bytes are
    """Bytes that are not a complete picture.

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
    """The picture in *file*, with its header read and its size checked; *file* stays open.

    Raises:
        BadPicture: for whatever Pillow raises, in the block as well.
    """
    with guarded(), _decoder(mime_type)(file) as image:
        check_pixels(image.width, image.height, max_pixels)
        yield image


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn whatever a decoder raises on malicious bytes into :class:`BadPicture`."""
    try:
        yield
    except (BadPicture, RetouchError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadPicture("it unpacks to more pixels than a picture has", "bomb") from error
    except Exception as error:  # decoders raise struct.error, KeyError, MemoryError, anything
        raise BadPicture(_reason(error)) from error


def decode(file: IO[bytes], mime_type: str, max_pixels: int) -> tuple[int, int]:
    """Decode every pixel of the picture in *file*, and discard them; its width and height.

    Raises:
        BadPicture: it cannot be decoded completely.
    """
    with opened(file, mime_type, max_pixels) as image:
        size = image.size
        with turn(image):
            image.load()
            image.close()
    return size


@contextlib.contextmanager
def turn(image: Image.Image) -> Iterator[None]:
    """Wait until *image* may use memory; pictures up to :data:`BIG_PIXELS` need not wait."""
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
    # Pillow's own messages help the user; Python's, from bugs in Pillow, do not.
    said = f" ({text[:120]})" if text and isinstance(error, OSError | SyntaxError) else ""
    return "it is cut off" if cut else f"it cannot be decoded{said}"


@cache
def _decoder(mime_type: str) -> Callable[[IO[bytes]], Any]:
    # Imported when first needed: all decoders together take 100 ms, and most jobs need only one.
    module, name = _DECODERS[mime_type]
    plugin: Any = importlib.import_module(module)
    if mime_type == "image/png":
        plugin.MAX_TEXT_CHUNK = MAX_METADATA
    return cast("Callable[[IO[bytes]], Any]", getattr(plugin, name))
