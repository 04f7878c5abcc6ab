"""Shards whose workers die: how many deaths speak against one, and what speaks for it."""

from __future__ import annotations

import msgspec

from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from workers.shared.board import Board, Claim

#: Deaths after which a shard is taken by a worker that has no other, and after which it is set aside.
SUSPECT, GUILTY = 2, 3

SET_ASIDE = (
    "set_aside: {deaths} workers have died with this row's shard in their hands, so that it is not called for any "
    "more; see their logs, then settle it again with `retouch retry`"
)


async def weighed(board: Board, job: str, shard: int, claim: Claim) -> Claim:
    """*claim*, without its deaths when rows were settled between them: then the holders died of something else.

    The board knows of rows what heartbeats have said, and those of the dead may not have said all: the folder has.

    Raises:
        BrokerError: Redis is out of reach.
    """
    if claim.deaths < SUSPECT:
        return claim
    folder = JobFolder.at(claim.out)
    try:
        await folder.look_for_rounds()
        settled = (await folder.totals(shard)).settled
    except StoreError:
        return claim
    acquitted = await board.acquit(job, shard, settled)
    return msgspec.structs.replace(claim, deaths=0) if acquitted else claim
