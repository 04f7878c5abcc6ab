"""Converts pictures that the API does not accept to PNG without loss.

Every pixel, alpha, palettes, 16 bits of grey and the colour profile are kept. Apart from that:

* Of an animation, the first frame is used.
* An orientation tag is applied to the pixels and then dropped, so that nothing can rotate the picture twice.
* Colours with 16 bits per channel become 8 bits: Pillow reads no more, and the models answer in 8.
* CMYK, LAB and YCbCr do not exist in PNG and become RGB, using the picture's own profile if it has one.
* Camera raw files that look like TIFF are refused, because Pillow would only read their thumbnails.
"""

from __future__ import annotations

import importlib
import io
import os
import tempfile
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from PIL import Image

from pipeline.errors import StoreError
from pipeline.picture import decoder
from pipeline.picture.decoder import BadPicture
from pipeline.picture.kind import SEVERAL

#: The zlib level: half the time of the default for about a tenth more bytes, which are read only once.
_COMPRESSION = 2

#: Modes that PNG can store unchanged.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B"})
_VIA_RGBA = frozenset({"PA", "RGBa", "La"})
_VIA_RGB = frozenset({"CMYK", "LAB", "YCbCr", "HSV", "RGBX"})

_TIFF_SUBFILE_TYPE = 254
_TIFF_DNG_VERSION = 50706


class Converted(NamedTuple):
    """A PNG in the spool folder, its size in pixels, and whether there were more frames or pages."""

    path: Path
    width: int
    height: int
    first_of_several: bool = False


def to_png(file: IO[bytes], mime_type: str, spool: Path) -> Converted:
    """Convert the picture in *file* into a new file in *spool*.

    Raises:
        BadPicture: it cannot be decoded, or PNG cannot hold it.
        StoreError: *spool* cannot be written.
    """
    with decoder.opened(file, mime_type, decoder.MAX_DECODED_PIXELS) as image:
        _refuse_raw(image)
        with decoder.turn(image):
            image.load()
            upright = _for_png(_turned(image))
            return Converted(
                _written(upright, spool), upright.width, upright.height, _has_more(image, mime_type)
            )


def _has_more(image: Image.Image, mime_type: str) -> bool:
    """Whether the file has more frames or pages; yes if that cannot be told, because the second one is damaged."""
    if mime_type not in SEVERAL:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # noqa: BLE001 - the first is sound, and whatever a decoder raises on the second speaks of it
        return True


def _refuse_raw(image: Image.Image) -> None:
    tags = getattr(image, "tag_v2", {})
    if tags.get(_TIFF_SUBFILE_TYPE) == 1 or _TIFF_DNG_VERSION in tags:
        raise BadPicture("it is a camera's raw file", "unsupported")


def _turned(image: Image.Image) -> Image.Image:
    # Pillow's TIFF decoder has already rotated the pixels and dropped the tag; this does it for other formats.
    operations: Any = importlib.import_module("PIL.ImageOps")
    return cast("Image.Image", operations.exif_transpose(image))


def _for_png(image: Image.Image) -> Image.Image:
    if image.mode in _PNG_MODES:
        return image
    if image.mode in _VIA_RGBA:
        return image.convert("RGBA")
    if image.mode in _VIA_RGB:
        return _as_rgb(image)
    if image.mode == "I" and _fits_16_bits(image):
        return image.convert("I;16")
    raise BadPicture(f"its pixels are of a kind that PNG cannot hold (mode {image.mode})", "unsupported")


def _fits_16_bits(image: Image.Image) -> bool:
    low, high = cast("tuple[int, int]", image.getextrema())
    return low >= 0 and high <= 0xFFFF


def _as_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    rgb = (_through_profile(image, profile) if profile else None) or image.convert("RGB")
    # The profile belongs to the old colours; with it, a reader would convert them a second time.
    rgb.info.pop("icc_profile", None)
    return rgb


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """*image* converted to sRGB by its own profile; ``None`` if the profile is damaged or for another mode."""
    cms: Any = importlib.import_module("PIL.ImageCms")
    try:
        source = cms.ImageCmsProfile(io.BytesIO(profile))
        return cast(
            "Image.Image | None",
            cms.profileToProfile(image, source, cms.createProfile("sRGB"), outputMode="RGB"),
        )
    except (cms.PyCMSError, OSError, ValueError):
        return None


def _written(image: Image.Image, spool: Path) -> Path:
    try:
        spool.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(".png", "converted-", spool)
    except OSError as error:
        raise _spool_refused(spool, error) from error
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, decoder.guarded():
            image.save(file, "PNG", compress_level=_COMPRESSION)
    except BadPicture as error:
        path.unlink(missing_ok=True)
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno:
            raise _spool_refused(spool, cause) from cause
        raise
    return path


def _spool_refused(spool: Path, error: OSError) -> StoreError:
    return StoreError(
        f"The folder for temporary files, {spool}, refused a file ({error.strerror}): make room there"
    )
