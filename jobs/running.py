"""A job that this process runs to its end, for ``run`` and ``retry``; shows it, asks about its cost, notifies."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from jobs.confirm import confirmed
from jobs.interrupts import interruptible
from jobs.live import View
from jobs.notifying import notifying
from pipeline.engine.jobrun import Caller
from pipeline.engine.traces import tracing
from pipeline.errors import KeyMissing
from pipeline.gemini.access import access
from pipeline.gemini.client import Client
from pipeline.local import LocalJob
from pipeline.notify.notifier import Notifier
from pipeline.report.words import plural
from pipeline.status import State, Status
from pipeline.urls.fetch import Fetcher

#: Seconds between two updates of the view.
_SHOW_EVERY = 0.25
#: Seconds between two checks whether there is news to notify.
_NOTIFY_EVERY = 5.0

REFUSED = "not confirmed: run again with --yes, or set a --budget"


class Running:
    """A job that is being run, its view, and the user's answer to what it may cost.

    Args:
        view: shows the job, and asks.
        job: the job to run.
        confirm_above: dollars above which the user is asked; ``None``: never.
        command: is run for each notification.
    """

    def __init__(
        self, view: View, job: LocalJob, confirm_above: float | None = None, command: str | None = None
    ) -> None:
        self._view = view
        self._job = job
        self._command = command
        self._confirm_above = confirm_above
        # Without a terminal the cost must be known before the first call, unless --yes or a small budget was given.
        settled = confirm_above is None or (
            job.budget.limit is not None and job.budget.limit <= confirm_above
        )
        self._asks_first = not settled and not view.can_ask
        job.budget.unasked = confirm_above if view.can_ask else None

    async def to_its_end(self, scratch: Path) -> Status:
        """Plan, call and report; the last status.

        Raises:
            RetouchError: the manifest is not the one that the job began with, or nothing of it could be read, or
                the cost was not confirmed; nothing was called.
        """
        job = self._job
        async with notifying(job.folder, self._command) as notifier:
            with interruptible(job, self._view):
                telling = asyncio.create_task(self._notify(notifier))
                try:
                    await self._settle_rows(scratch)
                finally:
                    telling.cancel()
                status = await self._finished()
            await notifier.look(status, at_rest=True)
        if job.fault and not status.calls:
            raise job.fault
        return status

    async def _settle_rows(self, scratch: Path) -> None:
        job = self._job
        try:
            await job.planner.begin()
            keys, slots = access(), job.spec.max_in_flight
            with tracing() as job.observers:
                async with (
                    Client(key=keys.key, base_url=keys.base_url, max_in_flight=slots) as client,
                    Fetcher() as fetcher,
                ):
                    await self._plan_and_call(client, fetcher, scratch)
        except KeyMissing as missing:
            job.brake.stop(State.HALTED, str(missing))
            self._view.update(await job.status())
        except asyncio.CancelledError:
            self._view.say("Ended at once: calls in flight may have been paid for without an answer.")

    async def _finished(self) -> Status:
        job = self._job
        try:
            return await job.finish()
        except asyncio.CancelledError:
            self._view.say(
                f"Ended at once: `retouch report {job.spec.job}` writes the results and the report."
            )
            return await job.status()

    async def _plan_and_call(self, client: Caller, fetcher: Fetcher, scratch: Path) -> None:
        brake = self._job.brake
        showing = asyncio.create_task(self._show())
        planning = asyncio.create_task(self._plan_and_ask())
        try:
            if self._asks_first:
                await brake.race(planning)
            await self._job.call(client, fetcher, scratch)
            if brake.stopped and not brake.cancelled:
                planning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await planning
        finally:
            showing.cancel()

    async def _plan_and_ask(self) -> None:
        job = self._job
        whole = await job.plan(all_or_nothing=self._asks_first)
        if job.brake.stopped and job.brake.state is not State.PAUSED:
            return
        if not whole:
            self._view.say(f"{job.fault} The rows read so far are still processed.")
        if self._confirm_above is not None:
            await self._ask(self._confirm_above)

    async def _ask(self, confirm_above: float) -> None:
        job = self._job
        left = await job.cost_left()
        what = f"What is left of {plural(job.planner.rows, 'row')}"
        if await asyncio.to_thread(confirmed, self._view, what, left, confirm_above, job.budget.left):
            await job.budget.answered()
        else:
            job.brake.stop(State.PAUSED, REFUSED)

    async def _notify(self, notifier: Notifier) -> None:
        while True:
            await asyncio.sleep(_NOTIFY_EVERY)
            await notifier.look(await self._job.status())

    async def _show(self) -> None:
        while True:
            self._view.update(await self._job.status())
            await asyncio.sleep(_SHOW_EVERY)
