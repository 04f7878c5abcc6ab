"""Tokens by kind, from counts that do not always add up (gemini-api.md 3.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.attempt import Tokens
from pipeline.gemini.usage import tokens
from pipeline.gemini.wire import ModalityCount, Usage


def usage(
    asked: int = 0, made: int = 0, thought: int = 0, total: int = 0, tool: int = 0, **details: int
) -> Usage:
    return Usage(
        prompt_token_count=asked,
        candidates_token_count=made,
        thoughts_token_count=thought,
        tool_use_prompt_token_count=tool,
        total_token_count=total,
        candidates_tokens_details=tuple(ModalityCount(modality=k, token_count=n) for k, n in details.items()),
    )


def counted(asked: int, text: int, image: int, thought: int, total: int) -> Tokens:
    return Tokens(input=asked, output_text=text, output_image=image, thoughts=thought, total=total)


@pytest.mark.parametrize(
    ("read", "picture", "expected"),
    [
        (usage(270, 1200, 90, 1560, IMAGE=1120), True, counted(270, 80, 1120, 90, 1560)),
        (usage(270, 1120, 90, 1480), True, counted(270, 0, 1120, 90, 1480)),
        (usage(270, 1200, 90, 1560, TEXT=80), True, counted(270, 80, 1120, 90, 1560)),
        (usage(270, 2240, 90, 2600, IMAGE=2240), True, counted(270, 0, 2240, 90, 2600)),
        (usage(270, 80, 90, 440), False, counted(270, 80, 0, 90, 440)),
        (usage(270, 80, 90, 440, TEXT=60), False, counted(270, 80, 0, 90, 440)),
        (usage(276, 0, 173, 449), False, counted(276, 0, 0, 173, 449)),
        (usage(276, 173, 173, 449), False, counted(276, 0, 0, 173, 449)),
        (usage(270, 1120, 0, 1480, IMAGE=1120), True, counted(270, 0, 1120, 90, 1480)),
        (usage(0, 1120, 90, 1480, IMAGE=1120), True, counted(270, 0, 1120, 90, 1480)),
        (usage(270, 1120, 0, 0, IMAGE=1120), True, counted(270, 0, 1120, 0, 1390)),
        (usage(270, 0, 0, 0, IMAGE=1120), True, counted(270, 0, 1120, 0, 1390)),
        (usage(200, 1120, 0, 1390, tool=70, IMAGE=1120), True, counted(270, 0, 1120, 0, 1390)),
        (usage(), False, counted(0, 0, 0, 0, 0)),
        (usage(-5, -5, -5, -5, IMAGE=-5), True, counted(0, 0, 0, 0, 0)),
    ],
)
def test_split(read: Usage, picture: bool, expected: Tokens) -> None:
    """What was asked, made and thought, by modality."""
    assert tokens(read, picture=picture) == expected


def test_nothing_told() -> None:
    """No usage is not a usage of nothing."""
    assert tokens(None, picture=True) is None


COUNT = st.integers(-10, 5000)


@given(st.builds(usage, COUNT, COUNT, COUNT, COUNT, COUNT, IMAGE=COUNT, TEXT=COUNT), st.booleans())
def test_never_negative(read: Usage, picture: bool) -> None:
    """No kind is negative, and the named picture is never too cheap."""
    split = tokens(read, picture=picture)
    assert split is not None
    assert min(split.input, split.output_text, split.output_image, split.thoughts, split.total) >= 0
    assert split.output_image >= max(read.candidates_tokens_details[0].token_count, 0)
