"""One Redis for a job: workers of another one see its mark in the job folder, and leave the job alone.

Leases are one Redis's own. Two of them over one store would each have a worker take every shard, and each would pay.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from workers.reporting import FRESH
from workers.shared.board import Board

#: In the job folder: the name of the Redis and, so that it is seen to be fresh, a word that is new at each renewal.
MARK = ".retouch/redis"
#: Seconds without a renewal after which those who made the mark are gone.
GONE = 2.5 * FRESH

ELSEWHERE = (
    "workers of another Redis are at work on this job: end them, or give these a RETOUCH_STORE of their own; without "
    "them it goes on here within a minute"
)


class Marks:
    """The marks of jobs, as this process has seen them."""

    def __init__(self, board: Board, clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._clock = clock
        self._foreign: dict[str, tuple[str, float]] = {}

    async def ours(self, folder: JobFolder) -> bool:
        """Whether the job in *folder* is for the workers of our Redis; it is made so, if it is nobody's.

        Raises:
            BrokerError: Redis is out of reach.
            StoreError: the folder cannot be read or written.
        """
        names, store = await self._board.names(), folder.store
        said = await store.get(MARK)
        if said is None and await store.put_new(MARK, _mark(names[-1])):
            return True
        mark = (said or await store.get(MARK) or b"").decode()
        if mark.partition(" ")[0] in names:
            self._foreign.pop(store.url, None)
            return True
        seen, since = self._foreign.get(store.url, ("", 0.0))
        if seen != mark:
            self._foreign[store.url] = mark, self._clock()
            return False
        if self._clock() - since < GONE:
            return False
        del self._foreign[store.url]
        await self.renew(folder)
        return True

    async def demand(self, folder: JobFolder) -> None:
        """Return when the job is :meth:`ours`.

        Raises:
            StoreError: it is not, or the folder cannot be read.
        """
        if not await self.ours(folder):
            raise StoreError(ELSEWHERE)

    async def renew(self, folder: JobFolder) -> None:
        """Say that we are still at work on the job, which is :meth:`ours`."""
        await folder.store.put(MARK, _mark((await self._board.names())[-1]), durable=False)


def _mark(name: str) -> bytes:
    return f"{name} {secrets.token_hex(4)}".encode()
