"""Which pictures go ahead of their request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.gemini.inline import INLINE_BYTES, by_file


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([], ()),
        ([100], ()),
        ([101], (0,)),
        ([60, 40], ()),
        ([60, 41], (0,)),
        ([10, 95, 10], (1,)),
        ([200, 10, 300], (0, 2)),
        ([50, 50, 50], (0,)),
    ],
)
def test_the_largest_go_first_until_the_rest_fits(sizes, chosen):
    assert by_file(sizes, 100) == chosen


@given(st.lists(st.integers(1, 1000), max_size=14), st.integers(0, 2000))
def test_what_is_left_fits_and_nothing_goes_without_need(sizes, most):
    chosen = by_file(sizes, most)
    left = sum(size for position, size in enumerate(sizes) if position not in chosen)
    assert left <= most
    assert not chosen or left + min(sizes[position] for position in chosen) > most


def test_what_stays_leaves_room_for_the_prompt_in_a_body_of_100_mb():
    assert 4 * -(-INLINE_BYTES // 3) + 5_000_000 < 100_000_000
