"""The current round of each shard: ``retry`` opens rounds, in which rows are settled again.

::

    .retouch/rounds/<r>            which shards have a round r
    .retouch/shards/<n>/r<round>/  what is planned and settled of a shard in a round; the highest is the current one
"""

from __future__ import annotations

import msgspec

from pipeline.job.decode import decode_file
from pipeline.job.shard import Round
from pipeline.store import Store

ROUNDS = ".retouch/rounds"
SHARDS = ".retouch/shards"


class RoundFiles:
    """The rounds of one job, as of the last :meth:`refresh`. Methods raise ``StoreError``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._newest: dict[int, int] = {}
        self._heard_of: set[str] = set()

    def of(self, shard: int) -> int:
        """The current round of *shard*; 1 is the one planned from the manifest."""
        return self._newest.get(shard, 1)

    def path(self, shard: int) -> str:
        """The folder of *shard* in its current round."""
        return shard_path(shard, self.of(shard))

    async def refresh(self) -> int:
        """Read the rounds that were opened since the last time; the number of the newest."""
        for name in await self._store.names(ROUNDS):
            if name not in self._heard_of:
                data = await self._store.get(f"{ROUNDS}/{name}")
                opened = decode_file(data or b"", Round, f"{self._store.url}/{ROUNDS}/{name}")
                for shard in opened.shards:
                    self._newest[shard] = max(opened.number, self.of(shard))
                self._heard_of.add(name)
        return max(map(int, self._heard_of), default=1)

    async def open(self, entry: Round) -> bool:
        """Open the round *entry*, whose plans are written; false if another process has opened it."""
        opened = await self._store.put_new(f"{ROUNDS}/{entry.number}", msgspec.json.encode(entry))
        await self.refresh()
        return opened


def shard_path(shard: int, number: int) -> str:
    """The folder of *shard* in round *number*."""
    return f"{SHARDS}/{shard:06d}/r{number}"
