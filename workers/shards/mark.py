"""One Redis for each job: workers of another Redis see its mark in the job folder and leave the job alone.

Leases hold within one Redis. If workers of two shared a store without marks, every shard would be called and paid for
twice.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from workers.reporting import FRESH
from workers.shared.board import Board

#: A file in the job folder: the name of the Redis, and a random word that changes with each renewal.
MARK = ".retouch/redis"
#: Seconds without a renewal after which the mark no longer counts.
GONE = 2.5 * FRESH

ELSEWHERE = (
    "workers of another Redis have this job: stop them, or give the workers here a RETOUCH_STORE of their own; once "
    "they have stopped, the job continues here within a minute"
)


class Marks:
    """The marks of jobs, as this process has seen them."""

    def __init__(self, board: Board, clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._clock = clock
        self._foreign: dict[str, tuple[str, float]] = {}

    async def ours(self, folder: JobFolder) -> bool:
        """Whether the job in *folder* belongs to the workers of our Redis; if to nobody, mark it as ours.

        Raises:
            BrokerError: Redis is out of reach.
            StoreError: the folder cannot be read or written.
        """
        names, store = await self._board.names(), folder.store
        found = await store.get(MARK)
        if found is None and await store.put_new(MARK, _mark(names[-1])):
            return True
        mark = (found or await store.get(MARK) or b"").decode()
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
        """Return if the job is :meth:`ours`.

        Raises:
            StoreError: it is not, or the folder cannot be read.
        """
        if not await self.ours(folder):
            raise StoreError(ELSEWHERE)

    async def renew(self, folder: JobFolder) -> None:
        """Renew the mark of a job that is :meth:`ours`."""
        await folder.store.put(MARK, _mark((await self._board.names())[-1]), durable=False)


def _mark(name: str) -> bytes:
    return f"{name} {secrets.token_hex(4)}".encode()
