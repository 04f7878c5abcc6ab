"""Answers that hold a picture, or should: what the model returns with a 200 when it worked."""

from __future__ import annotations

import base64
from typing import Any

from pipeline.gemini.emulator.answers.reply import Order, Reply
from pipeline.gemini.emulator.answers.shapes import (
    Part,
    data_part,
    picture_part,
    response,
    text_part,
    thought_part,
)
from pipeline.gemini.emulator.answers.withheld import truncated
from pipeline.gemini.emulator.painting import Painted

_CHATTER = "Here is the edited image."
_THOUGHT = "**Planning the edit**\n\nI keep the composition and change what was asked for."
_PROSE = "I have thought about your request. Here is a description of how the edited picture would look."


def picture(
    order: Order,
    *,
    text: str = "",
    finish_reason: str = "STOP",
    file_format: str = "",
    claims: str = "",
    width: int = 0,
    height: int = 0,
    signature_bytes: int = 0,
) -> Reply:
    """The edited picture. ``claims``: the MIME type that the answer states, whatever the bytes are."""
    if not order.request.wants_picture:
        return text_only(order)
    tokens = order.request.model.image_tokens[order.request.size]
    if order.request.limit is not None and order.request.limit < tokens:
        return truncated(order)
    pixels = (width, height) if width and height else None
    painted = order.studio.paint(order.request, order.inputs, pixels=pixels, file_format=file_format)
    stated = Painted(data=painted.data, mime_type=claims or painted.mime_type)
    parts = [*_chatter(order, text), picture_part(order, stated, signature_bytes=signature_bytes)]
    return _with_pictures(order, parts, 1, finish_reason)


def text_only(order: Order, *, text: str = _PROSE, finish_reason: str = "STOP") -> Reply:
    """Text and no picture: the most common failure (section 3.3 f)."""
    return Reply(document=response(order, [text_part(text)], finish_reason=finish_reason), paid=True)


def huge_text(order: Order, *, bytes: int = 5_000_000) -> Reply:  # noqa: A002 - the word of the rule file
    """A picture after a very long text."""
    return picture(order, text=("All work and no play makes a dull picture. " * (bytes // 43 + 1))[:bytes])


def thought_images(order: Order, *, drafts: int = 2, flagged: bool = True, final: bool = True) -> Reply:
    """Drafts before the picture, with or without the thought flag; ``final=false``: nothing but drafts.

    A draft carries the mark ``<token>~d1``, so that a test can tell it from the final picture.
    """
    parts = [_variant(order, f"~d{number}", thought=flagged) for number in range(1, drafts + 1)]
    if final:
        parts.append(picture_part(order, order.studio.paint(order.request, order.inputs)))
    return _with_pictures(order, parts, len(parts))


def many_images(order: Order, *, images: int = 3) -> Reply:
    """Several pictures, none of them a thought; all but the last carry the mark ``<token>~v1``, ``~v2``, ..."""
    parts = [_variant(order, f"~v{number}") for number in range(1, images)]
    parts.append(picture_part(order, order.studio.paint(order.request, order.inputs)))
    return _with_pictures(order, parts, images)


def unchanged(order: Order) -> Reply:
    """The first input picture, byte for byte (section 3.3 k)."""
    if not order.request.pictures:
        return picture(order)
    data = order.request.pictures[0]
    mime_type = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    return _with_pictures(order, [picture_part(order, Painted(data=data, mime_type=mime_type))], 1)


def bad_base64(order: Order) -> Reply:
    """Picture data that is not base64."""
    data = base64.b64encode(order.studio.paint(order.request, order.inputs).data).decode("ascii")
    spoiled = data[: len(data) // 2] + "*not base64*" + data[len(data) // 2 : -1]
    return _with_pictures(order, [data_part(order, spoiled, "image/png")], 1)


def undecodable(order: Order, *, bytes: int = 50_000) -> Reply:  # noqa: A002 - the word of the rule file
    """Valid base64 of something that is not a picture."""
    data = base64.b64encode(b"This is not a picture. " * (bytes // 23 + 1)).decode("ascii")
    return _with_pictures(order, [data_part(order, data, "image/png")], 1)


def cut_picture(order: Order, *, fraction: float = 0.6) -> Reply:
    """A picture whose last part is missing; its header still states the full size."""
    painted = order.studio.paint(order.request, order.inputs)
    kept = painted.data[: int(len(painted.data) * fraction)]
    parts = [picture_part(order, Painted(data=kept, mime_type=painted.mime_type))]
    return _with_pictures(order, parts, 1)


def _variant(order: Order, suffix: str, *, thought: bool = False) -> Part:
    painted = order.studio.paint(order.request, order.inputs, mark=order.request.token + suffix)
    return picture_part(order, painted, thought=thought)


def _chatter(order: Order, text: str) -> list[Part]:
    """Thoughts and prose where they were asked for; a text that a rule names comes in any case."""
    request = order.request
    thoughts = [thought_part(_THOUGHT)] if request.shows_thoughts and request.model.thoughts else []
    if text or "TEXT" in request.modalities:
        return [*thoughts, text_part(text or _CHATTER)]
    return thoughts


def _with_pictures(order: Order, parts: list[Any], pictures: int, finish_reason: str = "STOP") -> Reply:
    document = response(order, parts, finish_reason=finish_reason, pictures=pictures)
    return Reply(document=document, paid=True, pictures=pictures)
