"""Sends the notifications of one job, each once, however many processes watch the job.

Every event is sent *at least once*. Whoever records it sends it; if the result is not recorded within :data:`STALE`
seconds, that process is presumed dead, and one other process sends it again under the same ``webhook-id``, by which
the receiver recognises it. A failed notification is logged and recorded, and never harms the job.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from pipeline.errors import RetouchError, StoreError
from pipeline.job.folder import JobFolder
from pipeline.notify import command, message, webhook
from pipeline.notify.event import EventKind, due
from pipeline.notify.journal import Delivery, Journal, JournalEntry
from pipeline.notify.settings import SECRET, NotifySettings, WebhookFormat, stored_settings
from pipeline.status import ENDED, State, Status
from pipeline.timestamp import utc
from pipeline.urls.public import PublicClients

log = logging.getLogger("retouch.notify")

#: Seconds after which the sender of a notification is presumed dead; more than sending can take.
STALE = 180.0


class Notifier:
    """Watches the status of one job, and sends notifications.

    Args:
        folder: the job's.
        clients: for webhooks; they check its addresses.
        words: the command to run here for every event; empty: none.
        key: signs messages; ``None`` if there is none here.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        folder: JobFolder,
        clients: PublicClients,
        words: tuple[str, ...],
        key: bytes | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._clients = clients
        self._words = words
        self._key = key
        self._clock = clock
        self._journal = Journal(folder)
        self._waits_since: float | None = None
        self._telling: dict[int, asyncio.Task[None]] = {}

    async def look(self, status: Status, *, at_rest: bool = False) -> bool:
        """Begin to send what is new in *status*; whether the job has ended and everything about it is sent.

        *at_rest*: no process is working on the job, so if it is waiting, it is waiting for a person.
        """
        try:
            notify = await stored_settings(self._folder)
            if notify.url is None and not self._words:
                return status.state in ENDED
            await self._journal.read()
            await self._write(notify, status, float("inf") if at_rest else self._waited(status))
            await self._again(notify)
        except StoreError as error:
            log.warning("not_told job=%s, it is tried again: %s", status.job, error)
            return False
        return status.state in ENDED and not self._telling and not self._untold()

    async def rest(self) -> None:
        """Wait until the current notifications are sent, or have failed."""
        await asyncio.gather(*self._telling.values())

    async def _write(self, notify: NotifySettings, status: Status, waited: float) -> None:
        for event in due(self._journal.events, status, bound=notify.failures, waited=waited):
            number = await self._journal.write(JournalEntry(event=event, status=status, at=self._clock()))
            if number is None:
                # Another process has seen it, too; the next look finds what is left.
                return
            if event.kind is not EventKind.RUNNING:
                self._begin(number, notify)

    async def _again(self, notify: NotifySettings) -> None:
        now = self._clock()
        for number in self._untold():
            late = number not in self._telling and now - self._journal.entries[number].at >= STALE
            if late and await self._journal.claim_again(number, utc(now)):
                self._begin(number, notify)

    def _untold(self) -> list[int]:
        """Events whose first notification has no result yet."""
        return [
            number
            for number, entry in self._journal.entries.items()
            if entry.event.kind is not EventKind.RUNNING
            and number not in self._journal.ended
            and number not in self._journal.again
        ]

    def _waited(self, status: Status) -> float:
        if status.state is not State.WAITING:
            self._waits_since = None
            return 0.0
        if self._waits_since is None:
            self._waits_since = self._clock()
        return self._clock() - self._waits_since

    def _begin(self, number: int, notify: NotifySettings) -> None:
        task = asyncio.create_task(self._tell(number, notify))
        self._telling[number] = task
        task.add_done_callback(lambda _: self._telling.pop(number, None))

    async def _tell(self, number: int, notify: NotifySettings) -> None:
        entry = self._journal.entries[number]
        job, kind = entry.status.job, entry.event.kind
        ends = await asyncio.gather(
            _harmless(self._to_webhook(number, entry, notify)), _harmless(self._to_command(entry))
        )
        faults = [fault for fault in ends if fault]
        for fault in faults:
            log.warning("not_told job=%s event=%s: %s", job, kind, fault)
        if not faults:
            log.info("told job=%s event=%s", job, kind)
        try:
            await self._journal.end(number, Delivery(at=utc(self._clock()), faults=faults))
        except StoreError as error:
            log.warning("told_unwritten job=%s event=%s: %s", job, kind, error)

    async def _to_webhook(self, number: int, entry: JournalEntry, notify: NotifySettings) -> str | None:
        return await to_webhook(self._clients, notify, number, entry, self._key)

    async def _to_command(self, entry: JournalEntry) -> str | None:
        if not self._words:
            return None
        return await command.run(self._words, message.facts(entry), message.message(entry))


async def to_webhook(
    clients: PublicClients, notify: NotifySettings, number: int, entry: JournalEntry, key: bytes | None
) -> str | None:
    """Send *entry*, event *number* of its job, to its webhook, if any; ``None``, or why it could not be sent."""
    if notify.url is None:
        return None
    if notify.signed and key is None:
        return f"{SECRET} is not set on the machine that sends this, so it could not be signed"
    body = message.slack(entry) if notify.format is WebhookFormat.SLACK else message.message(entry)
    name = f"{entry.status.job}-{number}"
    return await webhook.post(clients, notify, name, body, key if notify.signed else None)


async def _harmless(telling: Awaitable[str | None]) -> str | None:
    """The result of *telling*; whatever goes wrong becomes a sentence."""
    try:
        return await telling
    except RetouchError as error:
        return str(error)
    except Exception as error:
        log.exception("telling_broke")
        return f"internal: {type(error).__name__} in retouch itself; please report it with the log"
