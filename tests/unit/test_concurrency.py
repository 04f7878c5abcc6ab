"""Fan-out that keeps the order and a bound."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.concurrency import ordered_map

AHEAD = 3


async def test_an_ordered_map_keeps_the_order_and_begins_no_more_than_it_may() -> None:
    under_way, most = 0, 0

    async def work(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        # The later ones of a group end first.
        for _ in range(AHEAD - number % AHEAD):
            await asyncio.sleep(0)
        under_way -= 1
        return number

    assert [result async for result in ordered_map(work, range(10), AHEAD)] == list(range(10))
    assert most == AHEAD


async def test_when_one_item_fails_the_others_that_an_ordered_map_has_begun_are_cancelled() -> None:
    cancelled, results = [], []

    async def work(number: int) -> int:
        if number == 1:
            raise ValueError(number)
        try:
            await asyncio.Event().wait() if number else None
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    async def collect() -> None:
        async for result in ordered_map(work, range(10), AHEAD):
            results.append(result)  # noqa: PERF401 - what came before the failure counts

    with pytest.raises(ValueError, match="1"):
        await collect()
    assert results == [0]
    assert cancelled == [2]
