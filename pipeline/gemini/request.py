"""The request to the model, and the JSON around its pictures (gemini-api.md 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.attempt import Variant
from pipeline.errors import InvalidInput
from pipeline.models import fault_of_id

if TYPE_CHECKING:
    from pipeline.picture import SentPicture

#: Appended from the second try on: it helps against NO_IMAGE and answers in prose (gemini-api.md 3.2).
EXPLICIT = "Answer with the resulting picture itself, as an image. Do not describe it in words instead."


class ImageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for one picture. No sampling parameters: current models reject them (gemini-api.md 1.2).

    Attributes:
        model: its id, with or without ``models/`` in front.
        pictures: what to edit, in order; if empty, a picture is generated.
        uploaded: addresses at the API of those pictures that are not in the request itself, by sha256.
        modalities: of the answer; from :func:`wording`.
        aspect_ratio: such as ``16:9``; sent only if given, like *image_size* (``1K``, ``2K``, ``4K``).
    """

    model: str
    prompt: str
    pictures: tuple[SentPicture, ...] = ()
    uploaded: Mapping[str, str] = {}
    modalities: tuple[str, ...] = ("TEXT", "IMAGE")
    aspect_ratio: str | None = None
    image_size: str | None = None

    @property
    def inline(self) -> tuple[SentPicture, ...]:
        """The pictures that are part of the request itself."""
        return tuple(picture for picture in self.pictures if picture.sha256 not in self.uploaded)

    @property
    def path(self) -> str:
        """Path of the call below the API's root; v1beta is pinned (gemini-api.md 0.1).

        Raises:
            InvalidInput: *model* is not a valid id.
        """
        fault = fault_of_id(self.model)
        if fault:
            raise InvalidInput("model", fault)
        name = self.model if "/" in self.model else f"models/{self.model}"
        return f"/v1beta/{name}:generateContent"


def wording(prompt: str, variant: Variant) -> tuple[str, tuple[str, ...]]:
    """Text and modalities of a try: first as given, then explicit, then explicit and for a picture only."""
    if variant is Variant.PLAIN:
        return prompt, ("TEXT", "IMAGE")
    text = f"{prompt.rstrip()}\n\n{EXPLICIT}" if prompt.strip() else EXPLICIT
    return text, ("IMAGE",) if variant is Variant.IMAGE_ONLY else ("TEXT", "IMAGE")


def frame(request: ImageRequest) -> tuple[list[bytes], bytes]:
    """The JSON around the inline pictures: what precedes the base64 of each, and what follows the last.

    Pictures come before the text, because prompts refer to "the first image" (gemini-api.md 2).

    Raises:
        InvalidInput: the prompt contains something that is not text.
    """
    heads, before = [], b'{"contents":[{"role":"user","parts":['
    for picture in request.pictures:
        mime_type, uri = _json(picture.mime_type), request.uploaded.get(picture.sha256)
        if uri is None:
            heads.append(before + b'{"inlineData":{"mimeType":' + mime_type + b',"data":"')
            before = b'"}},'
        else:
            before += b'{"fileData":{"mimeType":' + mime_type + b',"fileUri":' + _json(uri) + b"}},"
    config: dict[str, Any] = {"responseModalities": request.modalities}
    image = {"aspectRatio": request.aspect_ratio, "imageSize": request.image_size}
    if chosen := {name: value for name, value in image.items() if value}:
        config["imageConfig"] = chosen
    tail = before + b'{"text":' + _json(request.prompt) + b'}]}],"generationConfig":' + _json(config) + b"}"
    return heads, tail


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise InvalidInput(
            "prompt", "the prompt contains half a character (a lone surrogate); type it again"
        ) from None
