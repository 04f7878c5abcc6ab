"""The JSON of a ``GenerateContentResponse``: parts, candidates, usage (gemini-api.md section 3.1)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from pipeline.gemini.emulator.answers.counting import TEXT_TOKENS, prompt_details
from pipeline.gemini.emulator.answers.reply import Order
from pipeline.gemini.emulator.painting import Painted

Part = dict[str, Any]
SIGNATURE_BYTES = 1024


def text_part(text: str) -> Part:
    """A part of prose."""
    return {"text": text}


def thought_part(text: str) -> Part:
    """A part of what the model thought."""
    return {"text": text, "thought": True}


def picture_part(order: Order, picture: Painted, *, thought: bool = False, signature_bytes: int = 0) -> Part:
    """A part with a picture and the signature that image parts bear (section 1.2)."""
    data = base64.b64encode(picture.data).decode("ascii")
    return data_part(order, data, picture.mime_type, thought=thought, signature_bytes=signature_bytes)


def data_part(
    order: Order, data: str, mime_type: str, *, thought: bool = False, signature_bytes: int = 0
) -> Part:
    """A part whose picture data is given as text, so that it may be no base64 at all."""
    part: Part = {"inlineData": {"mimeType": mime_type, "data": data}}
    part["thoughtSignature"] = signature(order, signature_bytes or SIGNATURE_BYTES)
    if thought:
        part["thought"] = True
    return part


def signature(order: Order, length: int) -> str:
    """Bytes without meaning that are the same for the same call."""
    seed = hashlib.sha256(f"{order.request.token}/{order.n}".encode()).digest()
    return base64.b64encode(hashlib.shake_256(seed).digest(length)).decode("ascii")


def response(
    order: Order,
    parts: Sequence[Part] | None,
    *,
    finish_reason: str = "STOP",
    finish_message: str = "",
    pictures: int = 0,
) -> dict[str, Any]:
    """A whole answer with one candidate; ``parts`` None leaves out its content."""
    candidate: dict[str, Any] = {}
    if parts is not None:
        candidate["content"] = {"parts": _signed(order, parts), "role": "model"}
    candidate["finishReason"] = finish_reason
    if finish_message:
        candidate["finishMessage"] = finish_message
    candidate["index"] = 0
    prose = sum(len(part.get("text", "")) for part in parts or ())
    return {"candidates": [candidate], **frame(order, prose=prose, pictures=pictures)}


def _signed(order: Order, parts: Sequence[Part]) -> list[Part]:
    """The first part that is no thought is signed too, by a model that thinks and draws (section 1.2)."""
    first = next((part for part in parts if not part.get("thought")), None)
    draws = order.request.model.thoughts and any("inlineData" in part for part in parts)
    if first is None or "thoughtSignature" in first or not draws:
        return list(parts)
    signed = {**first, "thoughtSignature": signature(order, SIGNATURE_BYTES)}
    return [signed if part is first else part for part in parts]


def frame(order: Order, *, prose: int = 0, pictures: int = 0) -> dict[str, Any]:
    """What stands beside the candidates in every answer."""
    response_id = hashlib.sha256(f"{order.request.token}:{order.n}".encode()).digest()[:16]
    return {
        "usageMetadata": _usage(order, prose, pictures),
        "modelVersion": order.request.model.version_name,
        "responseId": base64.urlsafe_b64encode(response_id).decode("ascii").rstrip("="),
    }


def _usage(order: Order, prose: int, pictures: int) -> dict[str, Any]:
    request, model = order.request, order.request.model
    details_in = prompt_details(request)
    asked = sum(each["tokenCount"] for each in details_in)
    images_out = pictures * model.image_tokens[request.size]
    text_out = -(-prose // TEXT_TOKENS)
    usage: dict[str, Any] = {
        "promptTokenCount": asked,
        "candidatesTokenCount": images_out + text_out,
        "totalTokenCount": asked + images_out + text_out + model.thoughts,
        "promptTokensDetails": details_in,
    }
    if images_out:
        # Prose is left out of the details: as measured, they sum to less than the count (section 3.5).
        usage["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": images_out}]
    if model.thoughts:
        usage["thoughtsTokenCount"] = model.thoughts
    return usage
