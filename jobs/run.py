"""``retouch run``: a whole job in this one process, no Redis."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jobs.asked import Asked
from jobs.exits import exit_code
from jobs.live import View
from jobs.opening import open_job, opened_manifest
from pipeline.edit import State, Status
from pipeline.errors import UsageError
from pipeline.fetch import Fetcher
from pipeline.gemini.access import access
from pipeline.gemini.client import Client
from pipeline.job.folder import Planned
from pipeline.job.hold import held
from pipeline.jobrun import Caller
from pipeline.local import LocalJob
from pipeline.store import open_store

#: Seconds between two looks at the figures.
_GLANCE = 0.25

REFUSED = "not confirmed: the estimated cost was not accepted; run again with --yes or a smaller --limit"


async def run(asked: Asked, view: View) -> int:
    """Do the whole job that was *asked* for; the exit code of ``contract.md``."""
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        manifest = await asyncio.to_thread(opened_manifest, asked, Path(scratch))
        folder, spec = await open_job(asked, manifest, Path(scratch))
        with held(folder.store):
            job = LocalJob(folder, spec, manifest, open_store(asked.store))
            confirm_above = None if asked.yes else asked.confirm_above
            status = await Running(view, job, confirm_above).to_its_end(Path(scratch))
    view.close(status)
    return exit_code(status)


class Running:
    """One run: the job, those who watch it, and the user's answer to what it may cost.

    Args:
        view: who watches, and can be asked.
        job: what is run.
        confirm_above: dollars above which the user is asked; ``None``: the answer was given.
    """

    def __init__(self, view: View, job: LocalJob, confirm_above: float | None = None) -> None:
        self.view = view
        self.job = job
        self.confirm_above = confirm_above
        # Where nobody can be asked, the question is settled before the first call.
        self.asks_first = confirm_above is not None and not view.can_ask
        job.budget.unasked = confirm_above if view.can_ask else None

    async def to_its_end(self, scratch: Path) -> Status:
        """Plan, call and report; the last status.

        Raises:
            RetouchError: the manifest could not be read, or the cost was not confirmed.
        """
        keys = access()
        slots = self.job.spec.max_in_flight
        with self._signals():
            try:
                async with (
                    Client(key=keys.key, base_url=keys.base_url, max_in_flight=slots) as client,
                    Fetcher() as fetcher,
                ):
                    await self._work(client, fetcher, scratch)
            except asyncio.CancelledError:
                self.view.say("Ended at once: calls in flight may be paid for without an answer.")
            status = await self.job.finish()
        if self.job.fault:
            raise self.job.fault
        return status

    async def _work(self, client: Caller, fetcher: Fetcher, scratch: Path) -> None:
        watching = asyncio.create_task(self._watch())
        planning = asyncio.create_task(self._plan_and_ask())
        try:
            if self.asks_first:
                await self.job.brake.race(planning)
            await self.job.call(client, fetcher, scratch)
            if self.job.brake.stopped and not self.job.brake.cancelled:
                planning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await planning
        finally:
            watching.cancel()

    async def _plan_and_ask(self) -> None:
        planned = await self.job.plan()
        if planned is not None and self.confirm_above is not None:
            await self._confirm(planned, self.confirm_above)

    async def _confirm(self, planned: Planned, confirm_above: float) -> None:
        """Ask before more is spent than ``--confirm-above``; no terminal and no ``--yes`` is a no."""
        left = await self.job.price_left(planned)
        if left is None:
            self.view.say("The price of this model is not known, so that the cost cannot be estimated.")
        elif left > confirm_above:
            question = f"{planned.rows} rows, about ${left:.2f} still to be spent. Go on?"
            if self.asks_first:
                raise UsageError(
                    f"{question} There is no terminal to ask on: say --yes, or raise --confirm-above"
                )
            if not await asyncio.to_thread(self.view.ask, question):
                self.job.brake.stop(State.PAUSED, REFUSED)
                return
        await self.job.budget.answered()

    async def _watch(self) -> None:
        while True:
            self.view.update(await self.job.status())
            await asyncio.sleep(_GLANCE)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM ends calls in flight in order, the second ends at once."""
        loop = asyncio.get_running_loop()
        main = asyncio.current_task()

        def interrupt() -> None:
            if self.job.interrupt():
                self.view.say(
                    "Stopping: calls in flight are paid for and let finish; Ctrl-C again ends at once."
                )
            elif main is not None:
                main.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
