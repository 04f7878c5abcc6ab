"""How many tokens go in: for the usage of an answer, and for ``countTokens``."""

from __future__ import annotations

from typing import Any

from pipeline.gemini.emulator.request import EditRequest

TEXT_TOKENS = 4  # characters a token, by rule of thumb


def prompt_details(request: EditRequest) -> list[dict[str, Any]]:
    """What was sent, by modality, as ``promptTokensDetails`` says it."""
    text = max(1, request.characters // TEXT_TOKENS)
    details: list[dict[str, Any]] = [{"modality": "TEXT", "tokenCount": text}]
    if request.images:
        pictures = request.images * request.model.input_image_tokens
        details.append({"modality": "IMAGE", "tokenCount": pictures})
    return details


def token_count(request: EditRequest) -> dict[str, Any]:
    """The answer of ``countTokens``."""
    details = prompt_details(request)
    return {"totalTokens": sum(each["tokenCount"] for each in details), "promptTokensDetails": details}
