"""Answers with a 200 and no picture in them: refusals, empty shapes, and bodies that are no answer at all."""

from __future__ import annotations

from typing import Any

from pipeline.gemini.emulator.answers.reply import Order, Reply
from pipeline.gemini.emulator.answers.shapes import frame, response, text_part

_WITHHELD = "Unable to show the generated image. You will not be charged for it. Try rephrasing the prompt."


def refused(
    order: Order, *, finish_reason: str = "IMAGE_SAFETY", message: str = _WITHHELD, content: str = "missing"
) -> Reply:
    """A candidate that ended with a finish reason and without a picture (section 3.2).

    ``content`` is ``missing``, ``null``, ``empty`` (``{}``), ``role`` (``{"role": "model"}``),
    ``null_parts`` or ``no_parts``: all have been seen (section 3.3 c).
    """
    document = response(order, None, finish_reason=finish_reason, finish_message=message)
    shapes: dict[str, Any] = {
        "null": None,
        "empty": {},
        "role": {"role": "model"},
        "null_parts": {"parts": None, "role": "model"},
        "no_parts": {"parts": [], "role": "model"},
    }
    if content in shapes:
        document["candidates"][0] = {"content": shapes[content], **document["candidates"][0]}
    return Reply(document=document)


def no_image(order: Order, *, finish_reason: str = "NO_IMAGE") -> Reply:
    """The model should have drawn a picture and did not."""
    return refused(order, finish_reason=finish_reason, message="")


def truncated(order: Order, *, finish_reason: str = "MAX_TOKENS", text: str = "") -> Reply:
    """The answer reached its token limit before any picture."""
    parts = [text_part(text)] if text else None
    return Reply(document=response(order, parts, finish_reason=finish_reason), paid=True)


def prompt_blocked(order: Order, *, block_reason: str = "PROHIBITED_CONTENT") -> Reply:
    """No candidates, only feedback on the prompt (section 3.3 d)."""
    return Reply(document={"promptFeedback": {"blockReason": block_reason}, **frame(order)})


def no_candidates(order: Order, *, null: bool = False) -> Reply:
    """Candidates missing, or null (section 3.3 e)."""
    return Reply(document={**({"candidates": None} if null else {}), **frame(order)})


def empty(_order: Order) -> Reply:
    """``{}``."""
    return Reply(document={})


def null(_order: Order) -> Reply:
    """``null``."""
    return Reply(document=None)


def in_list(order: Order) -> Reply:
    """An array around an answer, as the streaming method sends it."""
    return Reply(document=[response(order, [text_part("one of a stream")])])


def not_json(_order: Order, *, text: str = "<!doctype html><title>Welcome</title>") -> Reply:
    """A 200 whose body is not JSON, as from a captive portal."""
    return Reply(raw=text.encode(), content_type="text/html; charset=UTF-8")
