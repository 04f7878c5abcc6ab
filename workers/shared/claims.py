"""Which worker makes an edit that rows of several workers ask for: :class:`pipeline.reuse.Claims` over Redis."""

from __future__ import annotations

import logging

from pipeline.errors import BrokerError
from workers.shared.board import Board

log = logging.getLogger("retouch.redis")

#: Seconds after which a claim expires that could not be released: a few of the longest calls.
_LIVES = 900.0


class RedisClaims:
    """Claims of this worker; released one by one, or all when it is gone.

    While Redis is away no claim is granted, and rows ask again: none fails because of it.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._unreleased: set[str] = set()

    async def claim(self, fingerprint: str) -> bool:
        try:
            for left in list(self._unreleased):
                await self._release(left)
            return await self._board.edit(fingerprint, _LIVES)
        except BrokerError as error:
            log.debug("edit_not_claimed, trying again: %s", error)
            return False

    async def release(self, fingerprint: str) -> None:
        self._unreleased.add(fingerprint)
        try:
            await self._release(fingerprint)
        except BrokerError as error:
            log.debug("edit_not_released, trying again with the next claim: %s", error)

    async def _release(self, fingerprint: str) -> None:
        await self._board.edited(fingerprint)
        self._unreleased.discard(fingerprint)
