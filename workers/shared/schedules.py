"""Schedules in Redis: a second copy of what the store holds, whose turn one is, and whether a scheduler is running.

``workers`` does not know what a schedule is: a copy is a text under a name. The keys are those of one store, named by
its address, so that two stores may share a server:

==========================  ======  =================================================================  ========
key                         type    meaning                                                            lives
==========================  ======  =================================================================  ========
retouch:schedules:<store>   hash    schedule -> its newest version                                     for ever
retouch:slots:<store>       hash    schedule -> the newest moment that was claimed by the clock        for ever
retouch:changed:<store>     string  counts changes, so that schedulers look at once                    for ever
retouch:scheduler:<store>   string  a scheduler is running                                             30 s
retouch:turn:<store>:<n>    string  somebody is making jobs of slots of schedule n                     30 s
==========================  ======  =================================================================  ========
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.exceptions import LockError

from pipeline.concurrency import cancel_and_wait
from workers.shared.connection import reaching
from workers.shared.keys import PREFIX

#: Seconds without a sign of life after which a scheduler counts as dead.
ALIVE = 30


class Schedules:
    """The schedules of one store, as Redis has them. Methods raise :class:`pipeline.errors.BrokerError`."""

    def __init__(self, redis: Redis, store: str) -> None:
        self._redis = redis
        self._store = store

    async def copies(self) -> dict[str, str]:
        """Every copy, by the schedule's name."""
        with reaching(self._redis):
            found: dict[str, str] = await self._redis.hgetall(self._key("schedules"))  # type: ignore[assignment]
        return found

    async def keep(self, name: str, text: str) -> None:
        """Replace the copy of a schedule, and have schedulers read it."""
        with reaching(self._redis):
            await self._redis.hset(self._key("schedules"), name, text)
        await self.stir()

    async def stir(self) -> None:
        """Have schedulers read the book at once."""
        with reaching(self._redis):
            await self._redis.incr(self._key("changed"))

    async def slots(self) -> dict[str, float]:
        """The newest moment of each schedule that was claimed."""
        with reaching(self._redis):
            found: dict[str, str] = await self._redis.hgetall(self._key("slots"))  # type: ignore[assignment]
        return {name: float(moment) for name, moment in found.items()}

    async def claimed(self, name: str, moment: float) -> None:
        """Note that *moment* was claimed."""
        with reaching(self._redis):
            await self._redis.hset(self._key("slots"), name, str(moment))

    async def beat(self) -> str | None:
        """Report that a scheduler is running; the count of changes."""
        with reaching(self._redis):
            await self._redis.set(self._key("scheduler"), "1", ex=ALIVE)
            changed: str | None = await self._redis.get(self._key("changed"))  # type: ignore[assignment]
        return changed

    async def scheduler_there(self) -> bool:
        """Whether a scheduler has ticked lately."""
        with reaching(self._redis):
            return bool(await self._redis.exists(self._key("scheduler")))

    @contextlib.asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[bool]:
        """Whether it is our turn to make jobs of a schedule's slots, for the length of the block.

        Without turns nothing would go wrong, since the files are create-only; they keep two schedulers from reading
        the same folder at the same time.
        """
        lock = self._redis.lock(f"{self._key('turn')}:{name}", timeout=ALIVE, blocking=False)
        with reaching(self._redis):
            mine = bool(await lock.acquire())
        if not mine:
            yield False
            return

        async def renew() -> None:
            while True:
                await asyncio.sleep(ALIVE / 3)
                with contextlib.suppress(LockError), reaching(self._redis):
                    await lock.extend(ALIVE, replace_ttl=True)

        renewing = asyncio.create_task(renew())
        try:
            yield True
        finally:
            await cancel_and_wait(renewing)
            with contextlib.suppress(LockError), reaching(self._redis):
                await lock.release()

    def _key(self, kind: str) -> str:
        return f"{PREFIX}{kind}:{self._store}"
