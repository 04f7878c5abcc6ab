"""The scheduler's rounds: slots that are due are claimed, and claimed slots are settled.

A round claims slots on time. Making their jobs may take long, for instance to copy pictures, and continues beside the
rounds.

Any number of schedulers may tick at the same time and be killed at any time: the claims in the store are create-only,
so that each slot has one run. If a clock is set back, its slots are claimed already; if it is set forward, one run
makes up for all slots in between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from jobs.schedule.book import ScheduleBook
from jobs.schedule.schedule import Schedule
from jobs.schedule.settling import Begin, claim_slot, new_claim, settle_open
from jobs.schedule.slots import moment_of
from jobs.schedule.timing import due, upcoming
from pipeline.concurrency import bounded_map
from pipeline.errors import BrokerError, RetouchError
from workers.shared.schedules import Schedules

log = logging.getLogger("retouch.scheduler")

#: Seconds between two readings of the whole book, and before a failed attempt is repeated.
REFRESH, AGAIN = 60.0, 5.0
#: Schedules that are read at the same time, and schedules whose jobs are made at the same time.
_TOGETHER, _MAKING = 16, 4


@dataclass
class _Known:
    """A schedule as this process knows it.

    Attributes:
        passed: the moment up to which slots are claimed, or do not count.
        next: the next slot after that; ``None``: there is none.
        open: whether some claimed slots may not be settled.
        again: when to try to settle them.
        trouble: why its last slot could not be settled.
    """

    schedule: Schedule
    passed: float
    next: float | None = field(init=False)
    open: bool = False
    again: float = 0.0
    trouble: str | None = None

    def __post_init__(self) -> None:
        self.move(self.passed)

    def move(self, passed: float) -> None:
        """Note that slots up to *passed* are claimed."""
        self.passed = passed
        self.next = next(iter(upcoming(self.schedule.when, passed, 1)), None)

    def held_up(self, trouble: str) -> None:
        """Note why its slots cannot be settled now; logged once, not at every attempt."""
        if trouble != self.trouble:
            log.warning("schedule_held_up schedule=%s: %s", self.schedule.name, trouble)
        self.trouble = trouble


class Ticker:
    """Starts the runs of a store's schedules.

    Args:
        book: the schedules.
        copies: their second copy.
        begin: makes a job of a claimed slot.
        clock: seconds since the epoch.
    """

    def __init__(
        self, book: ScheduleBook, copies: Schedules, begin: Begin, clock: Callable[[], float] = time.time
    ) -> None:
        self._book = book
        self._copies = copies
        self._begin = begin
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._settling: dict[str, asyncio.Task[None]] = {}
        self._makers = asyncio.Semaphore(_MAKING)
        self._read: float | None = None
        self._changed: str | None = None
        self._troubled = False

    async def tick(self) -> float:
        """One round; the seconds until the next one is needed, as far as is known now."""
        try:
            await self._look_at_the_book()
        except RetouchError as error:
            return self._trouble(error, AGAIN)
        waits = [REFRESH]
        for known in list(self._known.values()):
            try:
                waits.append(await self._look(known))
            except RetouchError as error:
                known.open, known.again = True, self._clock() + AGAIN
                waits.append(self._trouble(error, AGAIN))
            except Exception:  # one schedule must not stop the others
                log.exception("schedule_broken schedule=%s, trying again in a minute", known.schedule.name)
                known.open, known.again = True, self._clock() + REFRESH
        return max(0.0, min(waits))

    async def settled(self) -> None:
        """Wait for the slots that are being settled."""
        await asyncio.gather(*self._settling.values())

    def _trouble(self, error: RetouchError, wait: float) -> float:
        if self._troubled:
            log.debug("schedules_delayed, still: %s", error)
        else:
            log.warning("schedules_delayed: %s", error)
        self._troubled = True
        return wait

    async def _look(self, known: _Known) -> float:
        now = self._clock()
        if known.schedule.live and known.next is not None and known.next <= now:
            await self._take_due(known, now)
        # If the clock was set back, do not wait until it reaches *again*.
        if known.open and not 0 < known.again - now <= REFRESH:
            self._begin_settling(known)
        return min(_until(known.next, now), AGAIN if known.open else REFRESH)

    def _begin_settling(self, known: _Known) -> None:
        name = known.schedule.name
        if name not in self._settling:
            self._settling[name] = asyncio.create_task(self._settle(known))
            self._settling[name].add_done_callback(lambda _: self._settling.pop(name))

    async def _settle(self, known: _Known) -> None:
        """Settle the open slots of a schedule; those that cannot be settled now are tried again later."""
        async with self._makers:
            # Another slot may be claimed meanwhile.
            known.open, left, pause = False, True, AGAIN
            try:
                left = not await settle_open(self._book, self._copies, known.schedule, self._begin)
                self._troubled, known.trouble = False, None
            except BrokerError as error:
                self._trouble(error, AGAIN)
            except RetouchError as error:
                known.held_up(str(error))
            except Exception:  # one schedule must not stop the others
                log.exception("schedule_broken schedule=%s, trying again in a minute", known.schedule.name)
                pause = REFRESH
            known.open = known.open or left
            known.again = self._clock() + pause

    async def _take_due(self, known: _Known, now: float) -> None:
        moments = due(known.schedule.when, known.passed, now)
        claim = new_claim(known.schedule, moments[-1], now, missed=len(moments) - 1)
        taken = await claim_slot(self._book, known.schedule, claim)
        # If another scheduler claimed it, it may die before the outcome is written: check a little later.
        known.open, known.again = True, 0.0 if taken else now + AGAIN
        known.move(claim.moment)
        try:
            await self._copies.claimed(known.schedule.name, claim.moment)
        except BrokerError as error:
            self._trouble(error, AGAIN)

    async def _look_at_the_book(self) -> None:
        now = self._clock()
        try:
            changed = await self._copies.beat()
        except BrokerError as error:
            self._trouble(error, AGAIN)
            changed = self._changed
        if self._read is not None and 0 <= now - self._read < REFRESH and changed == self._changed:
            return
        self._known = {known.schedule.name: known for known in await self._all(now)}
        self._read, self._changed = now, changed

    async def _all(self, now: float) -> list[_Known]:
        try:
            copies, moments = await self._copies.copies(), await self._copies.slots()
        except BrokerError:
            copies, moments = None, {}

        async def read(name: str) -> _Known | None:
            copy = None if copies is None else copies.get(name, "")
            try:
                schedule = await self._in_step(name, copy)
                if schedule is None:
                    return None
                return await self._as_it_stands(schedule, moments.get(name), now)
            except RetouchError as error:
                # Keep what is known about this one, and go on with the others.
                self._trouble(error, AGAIN)
                return self._known.get(name)

        names = sorted({*await self._book.names(), *(copies or ())})
        return [known for known in await bounded_map(read, names, _TOGETHER) if known]

    async def _as_it_stands(self, schedule: Schedule, copied: float | None, now: float) -> _Known:
        known = self._known.get(schedule.name)
        if known is None or known.schedule != schedule or known.passed > now:
            known = _Known(schedule, await self._passed(schedule, copied, now))
        known.open = bool(await self._book.open_slots(schedule.name))
        return known

    async def _passed(self, schedule: Schedule, copied: float | None, now: float) -> float:
        """The moment up to which slots are claimed, at most *now*: the clock may have been ahead for a while."""
        passed = [schedule.since]
        if copied is not None and copied <= now:
            passed.append(copied)
        slot = await self._book.last_slot(schedule.name, now)
        if slot is not None:
            passed.append(moment_of(slot))
        return max(passed)

    async def _in_step(self, name: str, copy: str | None) -> Schedule | None:
        """The newer of the two copies, which replaces the other; *copy* is ``None`` while Redis is out of reach."""
        stored = await self._book.schedule(name)
        copied = _decoded(name, copy) if copy else None
        if copied is not None and (stored is None or copied.version > stored.version):
            log.warning("schedule_restored schedule=%s: the store had lost it, Redis had not", name)
            await self._book.put(copied)
            return copied
        if stored is not None and copy is not None and stored != copied:
            await self._copies.keep(name, msgspec.json.encode(stored).decode())
        return stored


def _decoded(name: str, copy: str) -> Schedule | None:
    """The copy in Redis; ``None`` if it is damaged, so that the store's replaces it."""
    try:
        return msgspec.json.decode(copy, type=Schedule)
    except msgspec.DecodeError as error:
        log.warning("schedule_copy_unreadable schedule=%s: %s", name, error)
        return None


def _until(moment: float | None, now: float) -> float:
    return REFRESH if moment is None else moment - now
