"""Paints pictures that show at a glance what was edited, and that have the mark of their request.

Runs in threads: Pillow releases the interpreter's lock while it decodes, scales and encodes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from pipeline.gemini.emulator.catalogue import nearest_ratio, output_pixels
from pipeline.gemini.emulator.google_errors import invalid
from pipeline.gemini.emulator.mark import paint_mark
from pipeline.gemini.emulator.request import EditRequest

pillow_heif.register_heif_opener()

_MIN_EDGE = 160  # the smallest edge on which a mark of full length fits
#: What pictures are saved as, by the last word of their MIME type. A third of the default's time for PNG, whose size
#: does not matter.
MADE: Mapping[str, Mapping[str, Any]] = {
    "png": {"format": "PNG", "compress_level": 1},
    "jpeg": {"format": "JPEG", "quality": 92},
    "webp": {"format": "WEBP"},
    "avif": {"format": "AVIF"},
    "heic": {"format": "HEIF"},
}
_FORMATS = ("PNG", "JPEG", "WEBP", "HEIF")
_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
_RESAMPLE = Image.Resampling.BILINEAR

_EFFECTS: Sequence[tuple[tuple[str, ...], Callable[[Image.Image], Image.Image]]] = (
    (("black and white", "black-and-white", "grayscale", "greyscale", "monochrome"), ImageOps.grayscale),
    (
        ("sepia", "vintage"),
        lambda picture: ImageOps.colorize(ImageOps.grayscale(picture), "#2b1a0c", "#ffe9c6"),
    ),
    (("blur", "dream"), lambda picture: picture.filter(ImageFilter.GaussianBlur(6))),
    (("mirror", "flip"), ImageOps.mirror),
    (("negative", "invert"), ImageOps.invert),
    (
        ("sketch", "pencil"),
        lambda picture: ImageOps.invert(ImageOps.grayscale(picture).filter(ImageFilter.FIND_EDGES)),
    ),
    (("poster", "cartoon", "comic"), lambda picture: ImageOps.posterize(picture, 2)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Painted:
    """One encoded picture."""

    data: bytes
    mime_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Studio:
    """How pictures are made.

    Attributes:
        format: ``png`` or ``jpeg``.
        shrink: divides both edges, for tests that make thousands of pictures.
    """

    format: str = "png"
    shrink: int = 1

    def open_inputs(self, request: EditRequest) -> list[Image.Image]:
        """The input pictures, decoded whole; a 400 for one that does not decode (section 4)."""
        return [_decode(data, self._pixels(request, request.ratio or "1:1")) for data in request.pictures]

    def paint(
        self,
        request: EditRequest,
        inputs: Sequence[Image.Image],
        *,
        mark: str | None = None,
        pixels: tuple[int, int] | None = None,
        file_format: str = "",
    ) -> Painted:
        """The picture that answers a request, with the request's token (or another mark) painted into it."""
        ratio = request.ratio or self._followed_ratio(request, inputs)
        width, height = pixels or self._pixels(request, ratio)
        canvas = _collage(inputs, width, height) if inputs else _generated(request.prompt, width, height)
        canvas = _tinted(_with_effect(canvas, request.prompt), request.token)
        _caption(canvas, request.prompt, mark or request.token)
        paint_mark(canvas, mark or request.token)
        return _encode(canvas, file_format or self.format)

    def _pixels(self, request: EditRequest, ratio: str) -> tuple[int, int]:
        width, height = output_pixels(request.model, ratio, request.size)
        shrink = max(1.0, min(self.shrink, width / _MIN_EDGE, height / _MIN_EDGE))
        return round(width / shrink), round(height / shrink)

    @staticmethod
    def _followed_ratio(request: EditRequest, inputs: Sequence[Image.Image]) -> str:
        if not inputs:
            return "1:1"
        return nearest_ratio(request.model.grid, inputs[0].width, inputs[0].height)


def _decode(data: bytes, wanted: tuple[int, int]) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            picture.draft(
                "RGB", (max(wanted), max(wanted))
            )  # JPEG alone: decodes at an eighth where that is enough
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            return picture if picture.mode == "RGB" else picture.convert("RGB")
    except _UNREADABLE as error:
        raise invalid("Unable to process input image. Please retry or use another image.") from error


def _collage(inputs: Sequence[Image.Image], width: int, height: int) -> Image.Image:
    """The first picture fills the canvas; further ones stand along its lower edge, in order."""
    canvas = ImageOps.fit(inputs[0], (width, height), _RESAMPLE)
    cell = max(1, min(width // max(4, len(inputs)), height // 3))
    for index, picture in enumerate(inputs[1:]):
        tile = ImageOps.expand(ImageOps.fit(picture, (cell, cell), _RESAMPLE), border=2, fill="white")
        canvas.paste(tile, (index * (cell + 4), height - cell - 8))
    return canvas


def _generated(prompt: str, width: int, height: int) -> Image.Image:
    """A picture from the prompt alone: a gradient between two colours that depend on the prompt."""
    digest = hashlib.sha256(prompt.encode("utf-8", "replace")).digest()
    dark, light = (f"#{digest[start : start + 3].hex()}" for start in (0, 3))
    ramp = Image.linear_gradient("L").rotate(digest[6] // 64 * 90).resize((width, height), _RESAMPLE)
    return ImageOps.colorize(ramp, dark, light)


def _with_effect(picture: Image.Image, prompt: str) -> Image.Image:
    words = prompt.lower()
    for names, effect in _EFFECTS:
        if any(name in words for name in names):
            return effect(picture).convert("RGB")
    return picture


def _tinted(picture: Image.Image, token: str) -> Image.Image:
    """Add a tint and a frame in a colour that depends on the token, so that no answer equals its input."""
    digest = hashlib.sha256(token.encode()).digest()
    colour = (digest[0], digest[1], digest[2])
    veiled = Image.blend(picture, Image.new("RGB", picture.size, colour), 0.18)
    edge = max(4, min(picture.size) // 64)
    ImageDraw.Draw(veiled).rectangle(
        (0, 0, picture.width - 1, picture.height - 1), outline=colour, width=edge
    )
    return veiled


def _caption(picture: Image.Image, prompt: str, mark: str) -> None:
    size = max(10, min(picture.size) // 36)
    font = ImageFont.load_default(size)
    columns = max(8, int(picture.width / size * 1.7))
    text = f"{' '.join(prompt.split())[: columns * 2]}\n{mark}"
    lines = [
        line[start : start + columns] for line in text.split("\n") for start in range(0, len(line), columns)
    ]
    draw = ImageDraw.Draw(picture)
    top = picture.height - (len(lines) + 1) * int(size * 1.25)
    draw.multiline_text(
        (size, top), "\n".join(lines), fill="white", font=font, stroke_width=2, stroke_fill="black"
    )


def _encode(picture: Image.Image, file_format: str) -> Painted:
    target = io.BytesIO()
    picture.save(target, **MADE[file_format])
    return Painted(data=target.getvalue(), mime_type=f"image/{file_format}")
