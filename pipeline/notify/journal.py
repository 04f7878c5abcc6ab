"""The notifications of a job, recorded in its folder so that only one of several processes sends each of them.

::

    .retouch/told/<n>            event n, put create-only: whoever puts it sends the notification
    .retouch/told/<n>.again      put create-only by whoever sends it again, because the first has not reported back
    .retouch/told/<n>.outcome    it was sent, or why it was not
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from pipeline.errors import StoreError
from pipeline.job.folder import JobFolder
from pipeline.notify.event import Event, EventKind
from pipeline.status import Status
from pipeline.timestamp import utc

_FOLDER = ".retouch/told"

T = TypeVar("T")


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An event, the job's status at that time, and when it was recorded, in seconds since the epoch."""

    event: Event
    status: Status
    at: float


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a notification; without *faults* it was sent."""

    at: str
    faults: list[str]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event as shown to users; with neither *told_at* nor *faults*, the result is not known."""

    event: EventKind
    at: str
    told_at: str | None
    faults: list[str]


class Journal:
    """The events of one job. Methods raise :class:`pipeline.errors.StoreError`.

    Attributes:
        entries: by number, from 1, as last read.
        ended: the numbers of those whose notification has ended.
        again: the numbers of those whose notification is sent a second time.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._store = folder.store
        self.entries: dict[int, JournalEntry] = {}
        self.ended: set[int] = set()
        self.again: set[int] = set()

    async def read(self) -> None:
        """Read what other processes have written."""
        for name in await self._store.names(_FOLDER):
            number, _, part = name.partition(".")
            if not number.isdecimal():
                continue
            if part == "outcome":
                self.ended.add(int(number))
            elif part == "again":
                self.again.add(int(number))
            elif int(number) not in self.entries:
                entry = await self._read(name, JournalEntry)
                if entry is not None:
                    self.entries[int(number)] = entry

    @property
    def events(self) -> list[Event]:
        """All events, in order."""
        return [self.entries[number].event for number in sorted(self.entries)]

    async def write(self, entry: JournalEntry) -> int | None:
        """Record the next event; its number, or ``None`` if another process was quicker."""
        number = max(self.entries, default=0) + 1
        if not await self._store.put_new(f"{_FOLDER}/{number:06d}", msgspec.json.encode(entry)):
            return None
        self.entries[number] = entry
        return number

    async def claim_again(self, number: int, at: str) -> bool:
        """Claim the second notification of event *number*; whether that succeeded."""
        claimed = await self._store.put_new(f"{_FOLDER}/{number:06d}.again", msgspec.json.encode(at))
        self.again.add(number)
        return claimed

    async def end(self, number: int, outcome: Delivery) -> None:
        """Record the result of the notification of event *number*."""
        await self._store.put(f"{_FOLDER}/{number:06d}.outcome", msgspec.json.encode(outcome))
        self.ended.add(number)

    async def told(self) -> list[Told]:
        """The notifications so far, in order."""
        if self._store.folder and not (self._store.folder / _FOLDER).is_dir():
            return []
        await self.read()
        return [
            await self._told(number, entry)
            for number, entry in sorted(self.entries.items())
            if entry.event.kind is not EventKind.RUNNING
        ]

    async def _told(self, number: int, entry: JournalEntry) -> Told:
        outcome = await self._read(f"{number:06d}.outcome", Delivery)
        return Told(
            event=entry.event.kind,
            at=utc(entry.at),
            told_at=outcome.at if outcome and not outcome.faults else None,
            faults=outcome.faults if outcome else [],
        )

    async def _read(self, name: str, shape: type[T]) -> T | None:
        data = await self._store.get(f"{_FOLDER}/{name}")
        try:
            return None if data is None else msgspec.json.decode(data, type=shape)
        except msgspec.DecodeError:
            raise StoreError(f"{self._store.url}/{_FOLDER}/{name} is not valid: remove it") from None
