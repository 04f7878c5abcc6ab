"""The shards of a job, one after another; some are read ahead, so that a store's latency is paid once for many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from pipeline.concurrency import ordered_map
from pipeline.job.folder import JobFolder
from pipeline.status import Totals

T = TypeVar("T")

#: Shards that are read ahead.
_AHEAD = 32


def over_shards(shards: int, read: Callable[[int], Awaitable[T]]) -> AsyncIterator[T]:
    """What *read* returns for each of the first *shards* shards, in order."""
    return ordered_map(read, range(1, shards + 1), _AHEAD)


async def exact_totals(folder: JobFolder, shards: int) -> Totals:
    """The totals of the first *shards* shards; of those that are not folded, from their records."""
    total = Totals()
    async for totals in over_shards(shards, folder.shards.totals):
        total += totals
    return total
