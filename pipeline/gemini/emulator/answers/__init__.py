"""All answers that a rule can name.

An answer is a function of the order and of keyword parameters, which a rule may set. So a new answer is one function,
and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.gemini.emulator.answers import edited, errors, files, interrupted, withheld
from pipeline.gemini.emulator.answers.reply import Reply

ANSWERS: Mapping[str, Callable[..., Reply]] = {
    "picture": edited.picture,
    "text_only": edited.text_only,
    "huge_text": edited.huge_text,
    "thought_images": edited.thought_images,
    "many_images": edited.many_images,
    "unchanged": edited.unchanged,
    "bad_base64": edited.bad_base64,
    "undecodable": edited.undecodable,
    "cut_picture": edited.cut_picture,
    "refused": withheld.refused,
    "no_image": withheld.no_image,
    "truncated": withheld.truncated,
    "prompt_blocked": withheld.prompt_blocked,
    "no_candidates": withheld.no_candidates,
    "empty": withheld.empty,
    "null": withheld.null,
    "list": withheld.in_list,
    "not_json": withheld.not_json,
    "rate_limited": errors.rate_limited,
    "quota_day": errors.quota_day,
    "quota_zero": errors.quota_zero,
    "spend_limited": errors.spend_limited,
    "bare_429": errors.bare_429,
    "status": errors.status,
    "unknown_field": errors.unknown_field,
    "gateway_html": errors.gateway_html,
    "redirect": errors.redirect,
    "slow_body": interrupted.slow_body,
    "hang": interrupted.hang,
    "cut_body": interrupted.cut_body,
    "reset": interrupted.reset,
    "reset_before": interrupted.reset_before,
    "file": files.file,
    "elsewhere": files.elsewhere,
}
#: Answers for only one request of the Files API.
OF_FILES: Mapping[str, str] = {"file": "finish", "elsewhere": "start"}
#: The answers for each request of the Files API.
ON_FILES: Mapping[str, frozenset[str]] = {
    on: frozenset({"status", "bare_429", "gateway_html", "redirect", "hang", "reset"})
    | {answer for answer, place in OF_FILES.items() if place == on}
    for on in ("start", "upload", "query", "finish", "get", "delete")
}


def parameters_of(answer: str) -> dict[str, Any]:
    """The parameters of an answer, with their defaults."""
    return dict(ANSWERS[answer].__kwdefaults__ or {})
