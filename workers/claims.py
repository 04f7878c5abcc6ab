"""Who makes an edit that rows of several workers ask for: :class:`pipeline.reuse.Claims` over Redis."""

from __future__ import annotations

from redis.asyncio import Redis

from workers.connection import reaching
from workers.keys import EDIT

#: Milliseconds after which the claim of a worker that died runs out: a few calls at their longest.
_LIVES = 900_000


class RedisClaims:
    """Claims of this worker; released one by one, or running out with it."""

    def __init__(self, redis: Redis, worker: str) -> None:
        self._redis = redis
        self._worker = worker

    async def claim(self, fingerprint: str) -> bool:
        with reaching(self._redis):
            return bool(await self._redis.set(EDIT + fingerprint, self._worker, nx=True, px=_LIVES))

    async def release(self, fingerprint: str) -> None:
        with reaching(self._redis):
            await self._redis.delete(EDIT + fingerprint)
