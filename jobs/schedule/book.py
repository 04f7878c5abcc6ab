"""The book of schedules: the truth about them, in the store.

::

    .retouch/schedules/<name>/
        versions/<n>              version n of the schedule
        claims/<month>/<slot>     the slot is claimed, and this is the job that it becomes
        outcomes/<month>/<slot>   what became of it
        begun                     the job that was started last; replaced
        pictures-<how>            what its runs have settled already (jobs.schedule.pictures); replaced

All but the last two are create-only, so that of two processes that edit a schedule or claim a slot, the second loses.
Nothing is ever deleted: the last version of a removed schedule says that it was removed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from jobs.schedule.schedule import Schedule
from jobs.schedule.slots import Begun, SlotClaim, SlotOutcome, slot_at
from pipeline.errors import JobError, StoreError
from pipeline.store import Store

SCHEDULES = ".retouch/schedules"

T = TypeVar("T")
_encode = msgspec.json.encode


class ScheduleBook:
    """The schedules of a store. Methods raise :class:`pipeline.errors.StoreError`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def names(self) -> list[str]:
        """The names of all schedules, removed ones as well."""
        return await self.store.names(SCHEDULES)

    async def schedule(self, name: str) -> Schedule | None:
        """The newest version of a schedule, removed or not."""
        versions = await self.store.names(f"{_at(name)}/versions")
        return await self._read(f"{_at(name)}/versions/{versions[-1]}", Schedule) if versions else None

    async def find(self, name: str) -> Schedule:
        """The schedule that a person means by *name*.

        Raises:
            JobError: there is none of that name.
        """
        # A name is a folder's, too: nothing else may be looked for.
        names = await self.names()
        found = await self.schedule(name) if name in names else None
        if found is not None and not found.removed:
            return found
        near = difflib.get_close_matches(name, names, 1)
        hint = (
            f"did you mean {near[0]}?" if near and near[0] != name else "`retouch schedule list` lists them"
        )
        raise JobError(f"no schedule {name!r} in {self.store.url}; {hint}")

    async def put(self, schedule: Schedule) -> bool:
        """Add a version; false when somebody else has added it first."""
        path = f"{_at(schedule.name)}/versions/{schedule.version:06d}"
        return await self.store.put_new(path, _encode(schedule), private=True)

    async def claim(self, name: str, claim: SlotClaim) -> bool:
        """Claim a slot; false if it is claimed already."""
        return await self.store.put_new(_of_slot(name, "claims", claim.slot), _encode(claim))

    async def claim_of(self, name: str, slot: str) -> SlotClaim | None:
        """The claim on the slot, if any."""
        return await self._read(_of_slot(name, "claims", slot), SlotClaim)

    async def settle(self, name: str, outcome: SlotOutcome) -> bool:
        """Write what became of a slot; false if it was written already."""
        return await self.store.put_new(_of_slot(name, "outcomes", outcome.slot), _encode(outcome))

    async def outcome(self, name: str, slot: str) -> SlotOutcome | None:
        """What became of the slot; ``None`` while it is not known."""
        return await self._read(_of_slot(name, "outcomes", slot), SlotOutcome)

    async def open_slots(self, name: str) -> list[str]:
        """Slots that are claimed and not settled, the oldest first.

        Slots are settled in order, so the search can stop at the first month without open ones.
        """
        found: list[str] = []
        months = await self.store.names(f"{_at(name)}/claims")
        for month in reversed(months):
            settled = set(await self.store.names(f"{_at(name)}/outcomes/{month}"))
            claimed = await self.store.names(f"{_at(name)}/claims/{month}")
            still_open = [slot for slot in claimed if slot not in settled]
            found = still_open + found
            if not still_open and month != months[-1]:
                break
        return found

    async def last_slot(self, name: str, until: float) -> str | None:
        """The newest claimed slot not after *until*; those of runs started by hand do not count."""
        end = slot_at(until)
        for month in reversed(await self.store.names(f"{_at(name)}/claims")):
            claimed = await self.store.names(f"{_at(name)}/claims/{month}")
            by_clock = [slot for slot in claimed if slot <= end and slot.endswith("Z")]
            if by_clock:
                return by_clock[-1]
        return None

    async def history(self, name: str, count: int | None) -> list[SlotOutcome]:
        """The newest *count* outcomes (``None``: all), the newest first."""
        found: list[SlotOutcome] = []
        for month in reversed(await self.store.names(f"{_at(name)}/outcomes")):
            slots = await self.store.names(f"{_at(name)}/outcomes/{month}")
            for slot in reversed(slots):
                if count is not None and len(found) >= count:
                    return found
                found += _there(await self.outcome(name, slot))
        return found

    async def begun(self, name: str) -> Begun | None:
        """The job that was started last."""
        return await self._read(f"{_at(name)}/begun", Begun)

    async def begin(self, name: str, begun: Begun) -> None:
        """Note that a job was started."""
        await self.store.put(f"{_at(name)}/begun", _encode(begun))

    async def _read(self, path: str, shape: type[T]) -> T | None:
        data = await self.store.get(path)
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=shape)
        except msgspec.DecodeError as error:
            raise StoreError(
                f"{self.store.url}/{path} was not written by retouch ({error}); put it back from a copy"
            ) from error


def pictures_path(name: str, how: str) -> str:
    """Where it is remembered which pictures the runs of a schedule have settled with the options *how*."""
    return f"{_at(name)}/pictures-{how}"


def _at(name: str) -> str:
    return f"{SCHEDULES}/{name}"


def _of_slot(name: str, kind: str, slot: str) -> str:
    return f"{_at(name)}/{kind}/{slot[:6]}/{slot}"


def _there(found: SlotOutcome | None) -> Iterable[SlotOutcome]:
    return () if found is None else (found,)
