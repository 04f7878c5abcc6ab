"""The client against the emulator: every answer that can be ordered comes to the verdict that it stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.attempt import Verdict
from pipeline.gemini.client import Client
from pipeline.gemini.emulator import Emulator, Options, Studio, rule
from pipeline.gemini.emulator.answers import ANSWERS
from pipeline.gemini.request import ImageRequest
from pipeline.gemini.verdict import judge
from pipeline.picture import prepare

PHOTO = Path(__file__).parents[3] / "examples" / "pictures" / "astronaut.jpg"
#: Verdict and whether the outcome is unknown; pictures that are not pictures are found out by decoding them.
VERDICTS = {
    "picture": (Verdict.IMAGE, False),
    "text_only": (Verdict.TEXT_ONLY, False),
    "huge_text": (Verdict.IMAGE, False),
    "thought_images": (Verdict.IMAGE, False),
    "many_images": (Verdict.IMAGE, False),
    "unchanged": (Verdict.IMAGE, False),
    "bad_base64": (Verdict.BAD_IMAGE, False),
    "undecodable": (Verdict.IMAGE, False),
    "cut_picture": (Verdict.IMAGE, False),
    "refused": (Verdict.BLOCKED, False),
    "no_image": (Verdict.NO_IMAGE, False),
    "truncated": (Verdict.TRUNCATED, False),
    "prompt_blocked": (Verdict.BLOCKED, False),
    "no_candidates": (Verdict.NO_IMAGE, False),
    "empty": (Verdict.NO_IMAGE, False),
    "null": (Verdict.NO_IMAGE, False),
    "list": (Verdict.NO_IMAGE, False),
    "not_json": (Verdict.NO_IMAGE, False),
    "rate_limited": (Verdict.THROTTLED, False),
    "quota_day": (Verdict.QUOTA_EXHAUSTED, False),
    "quota_zero": (Verdict.DENIED, False),
    "spend_limited": (Verdict.THROTTLED, False),
    "bare_429": (Verdict.THROTTLED, False),
    "unknown_field": (Verdict.INVALID_REQUEST, False),
    "gateway_html": (Verdict.OVERLOADED, False),
    "redirect": (Verdict.OVERLOADED, False),
    "hang": (Verdict.TIMEOUT, True),
    "cut_body": (Verdict.NETWORK, True),
    "reset": (Verdict.NETWORK, True),
}


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("spelling", ["camel", "snake"])
async def test_every_answer(name: str, spelling: str, tmp_path: Path) -> None:
    """In both spellings, with fields among them that nobody knows."""
    photo = prepare(PHOTO, tmp_path)
    ordered = rule(name, spelling=spelling, extra_fields=True)
    async with (
        Emulator(Options(studio=Studio(shrink=6), rules=[ordered])) as emulator,
        Client(key="k", base_url=emulator.url) as client,
    ):
        request = ImageRequest(model="gemini-nano-banana-2.1", prompt="blue", pictures=(photo,))
        async with client.call(request, timeout=0.5 if name == "hang" else 20) as reply:
            judged = judge(reply)
    assert (judged.verdict, judged.unknown) == VERDICTS[name]


def test_no_answer_is_forgotten() -> None:
    """Of the answers that can be ordered, only those that need more than a name are tested elsewhere."""
    assert set(ANSWERS) - set(VERDICTS) == {"status", "slow_body", "reset_before", "file", "elsewhere"}
