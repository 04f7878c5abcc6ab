"""Tokens by kind from ``usageMetadata``, whose counts do not always add up (gemini-api.md 3.5)."""

from __future__ import annotations

from pipeline.attempt import Tokens
from pipeline.gemini.wire import ModalityCount, Usage


def tokens(usage: Usage | None, *, picture: bool) -> Tokens | None:
    """The tokens that a call used; ``None`` if the answer does not say.

    If the counts disagree, the more expensive reading is used, with one exception: without a picture, the total is
    trusted more than its parts, because refusals count their thoughts a second time as output.

    * Output that the details do not list is the picture, if there is one and none is listed; otherwise text.
    * What is missing from the total is the prompt, if that is missing; otherwise thoughts that a proxy left out.

    Args:
        usage: as counted by the API.
        picture: whether the answer contains a picture.
    """
    if usage is None:
        return None
    told = _counted(usage.candidates_tokens_details)
    named = sum(told.values())
    asked = max(usage.prompt_token_count, 0) + max(usage.tool_use_prompt_token_count, 0)
    made, thought = max(usage.candidates_token_count, named), max(usage.thoughts_token_count, 0)
    total = max(usage.total_token_count, 0) or asked + made + thought
    if not picture:
        made = max(min(made, total - asked - thought), named)
    missing = max(total - asked - made - thought, 0)
    if asked:
        thought += missing
    else:
        asked = missing
    image = told.pop("IMAGE", 0)
    if picture and not image:
        image = made - sum(told.values())
    return Tokens(input=asked, output_text=made - image, output_image=image, thoughts=thought, total=total)


def _counted(details: tuple[ModalityCount, ...]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for detail in details:
        kind = (detail.modality or "").upper()
        counted[kind] = counted.get(kind, 0) + max(detail.token_count, 0)
    return counted
