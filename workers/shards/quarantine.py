"""Poison shards, as in poison messages: a shard whose workers die is taken alone, then set aside.

The deaths are counted in Redis, by sweep.lua.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from workers.shared.board import Board
from workers.shared.board_types import ShardClaim

#: Deaths after which a shard is taken only by a worker that holds no other, and after which it is set aside.
SUSPECT, GUILTY = 2, 3

SET_ASIDE = (
    "set_aside: {deaths} workers have died while they held this row's shard, so it is not tried again; see their "
    "logs, then use `retouch retry`"
)

#: Seconds for which a worker takes no other shard, so that it becomes free for a suspect.
DRAIN = 60.0

Name = tuple[str, int]


async def weighed(board: Board, job: str, shard: int, claim: ShardClaim) -> ShardClaim:
    """*claim*, but without deaths if rows were settled between them: then something else killed the workers.

    The folder is asked, since the board knows only what heartbeats have reported, and a dead worker's last rows may
    be missing there.

    Raises:
        BrokerError: Redis is out of reach.
    """
    if claim.deaths < SUSPECT:
        return claim
    folder = JobFolder.at(claim.out)
    try:
        await folder.rounds.refresh()
        settled = (await folder.shards.totals(shard)).settled
    except StoreError:
        return claim
    acquitted = await board.acquit(job, shard, settled)
    return msgspec.structs.replace(claim, deaths=0) if acquitted else claim


class Quarantine:
    """Which shards this process may take, so that a suspect is alone in it.

    A worker that dies takes all its shards down, most of them innocent, so two deaths prove little. A worker that
    dies while it holds a suspect alone was killed by it, and no other shard is blamed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._alone: Name | None = None
        self._awaited: Name | None = None
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether any shard may be taken now."""
        return not self._alone and (self._awaited is None or self._clock() >= self._until)

    def lets(self, shard: Name) -> bool:
        """Whether *shard* may be taken now."""
        return self.open or (not self._alone and self._awaited == shard)

    def make_room(self, shard: Name) -> None:
        """Take no other shards for a while, so that *shard* can be alone here."""
        if self._awaited is None or self._clock() >= self._until:
            self._awaited, self._until = shard, self._clock() + DRAIN

    def begin(self, shard: Name, *, alone: bool) -> None:
        """*shard* is taken. One that was awaited is so no longer, though it may have been acquitted meanwhile."""
        if alone:
            self._alone = shard
        if self._awaited == shard:
            self._awaited = None

    def end(self, shard: Name) -> None:
        """*shard* is over, whether it was alone or not."""
        if self._alone == shard:
            self._alone = None
