"""Poison shards: those whose workers die are taken alone, then set aside; and what speaks for one.

Called poison messages elsewhere. The deaths are counted in Redis, by sweep.lua.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from workers.shared.board import Board
from workers.shared.board_types import ShardClaim

#: Deaths after which a shard is taken by a worker that has no other, and after which it is set aside.
SUSPECT, GUILTY = 2, 3

SET_ASIDE = (
    "set_aside: {deaths} workers have died with this row's shard in their hands, so that it is not called for any "
    "more; see their logs, then try it again with `retouch retry`"
)

#: Seconds for which a worker takes no other shard, so that it can take a suspect.
DRAIN = 60.0

Name = tuple[str, int]


async def weighed(board: Board, job: str, shard: int, claim: ShardClaim) -> ShardClaim:
    """*claim*, without its deaths when rows were settled between them: then the holders died of something else.

    The board knows of rows what heartbeats have said, and those of the dead may not have said all: the folder has.

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

    A worker dies with all the shards that it holds, most of them innocent: two deaths say little. Whoever dies with
    a suspect alone has died of it, and takes no other down with it.
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
        """Let no other shard come until *shard* can be alone here, for a while."""
        if self._awaited is None or self._clock() >= self._until:
            self._awaited, self._until = shard, self._clock() + DRAIN

    def begin(self, shard: Name) -> None:
        """*shard* is alone here now."""
        self._alone, self._awaited = shard, None

    def end(self, shard: Name) -> None:
        """*shard* has left, whether it was alone or not."""
        if self._alone == shard:
            self._alone = None
