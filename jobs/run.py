"""``retouch run``: a whole job in this one process, no Redis."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs import output
from jobs.confirm import confirmed
from jobs.exits import exit_code
from jobs.job_options import JobOptions
from jobs.live import View, viewing
from jobs.manifests import manifest_of
from jobs.notifying import notify_asked, notifying
from jobs.opening import open_job
from jobs.options import asked_for
from pipeline.engine.jobrun import Caller
from pipeline.engine.traces import tracing
from pipeline.errors import KeyMissing
from pipeline.gemini.access import Access, access
from pipeline.gemini.client import Client
from pipeline.job.folder import JobFolder
from pipeline.job.limits import limited, limits_asked, limits_of
from pipeline.job.runlock import run_lock
from pipeline.job.spec import Spec
from pipeline.local import LocalJob
from pipeline.notify.notifier import Notifier
from pipeline.notify.settings import store_settings
from pipeline.report.words import plural
from pipeline.status import State, Status
from pipeline.store import open_store
from pipeline.store.leftovers import remove_leftovers
from pipeline.urls.fetch import Fetcher

#: Seconds between two looks at the figures.
_GLANCE = 0.25
#: Seconds between two looks whether there is news to be told.
_NEWS = 5.0

REFUSED = "not confirmed: run again with --yes, or set a --budget"


def run(*, json: bool, **values: Any) -> int:
    """Do the whole job in this process; its exit code."""
    with viewing(json=json) as view:
        return asyncio.run(_run(asked_for(values), view))


async def _run(asked: JobOptions, view: View) -> int:
    with contextlib.suppress(KeyMissing):
        # One that cannot be used is said before there is a folder; that there is none halts the job.
        access()
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        notify = notify_asked(asked)
        manifest = await asyncio.to_thread(manifest_of, asked, Path(scratch))
        folder, spec = await open_job(asked, manifest, Path(scratch), tell=view.say)
        for note in manifest.notes:
            view.say(f"note: {note}")
        registry = open_store(asked.store)
        job = LocalJob(folder, spec, manifest, registry)
        async with run_lock(folder.store, job.give_way):
            await store_settings(folder, notify)
            await _bind(folder, spec)
            for store in (folder.store, registry):
                remove_leftovers(store.folder)
            running = Running(view, job, asked.ask_above, asked.notify_command)
            status = await running.to_its_end(Path(scratch))
    view.close(status)
    return exit_code(status)


async def _bind(folder: JobFolder, spec: Spec) -> None:
    """Let the limits of *spec* hold, which are as asked now, whatever was asked or set before."""
    frozen, wanted = await folder.spec(), await folder.wanted()
    if frozen is None or limits_of(frozen, wanted) != limits_asked(spec):
        await folder.want(limited(wanted, limits_asked(spec)))


class Running:
    """One run: the job, those who watch it, and the user's answer to what it may cost.

    Args:
        view: who watches, and can be asked.
        job: what is run.
        confirm_above: dollars above which the user is asked; ``None``: the answer was given.
        command: is run when there is news of the job.
    """

    def __init__(
        self, view: View, job: LocalJob, confirm_above: float | None = None, command: str | None = None
    ) -> None:
        self.view = view
        self.job = job
        self.command = command
        self.confirm_above = confirm_above
        # Where nobody can be asked, the question is settled before the first call; a budget may have settled it.
        settled = confirm_above is None or (
            job.budget.limit is not None and job.budget.limit <= confirm_above
        )
        self.asks_first = not settled and not view.can_ask
        job.budget.unasked = confirm_above if view.can_ask else None

    async def to_its_end(self, scratch: Path) -> Status:
        """Plan, call and report; the last status.

        Raises:
            RetouchError: the manifest is not the one that the job began with, or nothing of it could be read, or
                the cost was not confirmed; nothing was called.
        """
        async with notifying(self.job.folder, self.command) as notifier:
            with self._signals():
                looking = asyncio.create_task(self._look(notifier))
                try:
                    await self.job.planner.begin()
                    await self._with(access(), scratch)
                except KeyMissing as missing:
                    self.job.brake.stop(State.HALTED, str(missing))
                    self.view.update(await self.job.status())
                except asyncio.CancelledError:
                    self.view.say("Ended at once: calls in flight may have been paid for without an answer.")
                finally:
                    looking.cancel()
                status = await self._finished()
            await notifier.look(status, at_rest=True)
        if self.job.fault and not status.calls:
            raise self.job.fault
        return status

    async def _finished(self) -> Status:
        try:
            return await self.job.finish()
        except asyncio.CancelledError:
            job = self.job.spec.job
            self.view.say(f"Ended at once: `retouch report {job}` writes the results and the report.")
            return await self.job.status()

    async def _with(self, keys: Access, scratch: Path) -> None:
        slots = self.job.spec.max_in_flight
        with tracing() as self.job.observers:
            async with (
                Client(key=keys.key, base_url=keys.base_url, max_in_flight=slots) as client,
                Fetcher() as fetcher,
            ):
                await self._work(client, fetcher, scratch)

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
        whole = await self.job.plan(all_or_nothing=self.asks_first)
        if self.job.brake.stopped and self.job.brake.state is not State.PAUSED:
            return
        if not whole:
            self.view.say(f"{self.job.fault} The rows read so far are still processed.")
        if self.confirm_above is not None:
            await self._ask(self.confirm_above)

    async def _ask(self, confirm_above: float) -> None:
        left = await self.job.cost_left()
        what = f"What is left of {plural(self.job.planner.rows, 'row')}"
        if await asyncio.to_thread(confirmed, self.view, what, left, confirm_above, self.job.budget.left):
            await self.job.budget.answered()
        else:
            self.job.brake.stop(State.PAUSED, REFUSED)

    async def _look(self, notifier: Notifier) -> None:
        while True:
            await asyncio.sleep(_NEWS)
            await notifier.look(await self.job.status())

    async def _watch(self) -> None:
        while True:
            self.view.update(await self.job.status())
            await asyncio.sleep(_GLANCE)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM ends calls in flight in order, the second ends at once.

        A terminal that is closed says so to each of its processes, and some shells say it again: that ends them in
        order, too, and never at once. ``nohup`` has it ignored, and so it is left.
        """
        loop = asyncio.get_running_loop()
        main = asyncio.current_task()

        def interrupt() -> None:
            if self.job.interrupt():
                self.view.say(
                    "Stopping: waiting for calls in flight, which are already paid for; Ctrl-C again ends at once."
                )
            elif main is not None:
                main.cancel()

        def hang_up() -> None:
            output.let_go_of_the_terminal()
            self.job.interrupt()

        handlers = {signal.SIGINT: interrupt, signal.SIGTERM: interrupt}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            handlers[signal.SIGHUP] = hang_up
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)
