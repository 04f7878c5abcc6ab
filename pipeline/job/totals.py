"""What the shards of a job come to: looked at some together, so that a store's latency is paid once for many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from pipeline.concurrency import bounded_map
from pipeline.job.folder import JobFolder
from pipeline.status import Totals

T = TypeVar("T")

#: Shards that are looked at together, and that are held until they are handed on in order.
_TOGETHER, _BATCH = 32, 1000


async def over_shards(shards: int, look: Callable[[int], Awaitable[T]]) -> AsyncIterator[T]:
    """What *look* says of each of the first *shards* shards, in order."""
    for first in range(1, shards + 1, _BATCH):
        batch = range(first, min(first + _BATCH, shards + 1))
        for found in await bounded_map(look, batch, _TOGETHER):
            yield found


async def exact_totals(folder: JobFolder, shards: int) -> Totals:
    """The totals of the first *shards* shards by their folds; a shard that is not folded adds its records."""
    total = Totals()
    async for totals in over_shards(shards, folder.shards.totals):
        total += totals
    return total
