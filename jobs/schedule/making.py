"""The job of a claimed slot, from its manifest to its plan.

May be killed anywhere and called again: an existing folder is continued, as ``submit`` does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jobs.confirm import in_words, must_ask
from jobs.faults import tell_faults
from jobs.job_options import JobOptions
from jobs.manifests import manifest_of
from jobs.notifying import notify_asked
from jobs.opening import check_options, spec_for
from jobs.planning import plan_job
from jobs.schedule.book import ScheduleBook
from jobs.schedule.options import asked_of
from jobs.schedule.pictures import pick
from jobs.schedule.schedule import Schedule
from jobs.schedule.slots import Picked, SlotClaim
from jobs.survey import survey_of
from pipeline.errors import JobError, UsageError
from pipeline.failpoints import failpoint
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder
from pipeline.job.runlock import run_lock
from pipeline.job.spec import Spec
from pipeline.manifest import Manifest, open_selection
from pipeline.report.words import plural
from pipeline.store import open_store, prove
from pipeline.timestamp import utc

log = logging.getLogger("retouch.scheduler")


class Busy(Exception):  # noqa: N818 - an event, not an error
    """Another process is making this very job."""


@dataclass(frozen=True)
class JobMaker:
    """A job that is being made, from its manifest to its plan."""

    book: ScheduleBook
    schedule: Schedule
    claim: SlotClaim
    folder: JobFolder
    scratch: Path

    async def make(self, there: Spec | None) -> Picked | None:
        """Make the job, or continue the one that is *there*; what an incremental run found, which may be nothing new.

        Raises:
            ManifestError, UsageError, JobError: it cannot be made.
        """
        asked = asked_of(self.schedule.options)
        if there is not None:
            # The schedule may have been edited since this job was begun.
            asked = msgspec.structs.replace(asked, out=there.out, **there.edit_options())
        check_options(asked)
        await prove(open_store(asked.out or self.book.store.url))
        picked, manifest = await self._read(asked)
        if manifest is None:
            return picked
        await asyncio.to_thread(_check_cost, asked, manifest, self.schedule.name)
        spec = there or await self._opened(asked, manifest, picked)
        async with _locked(self.folder):
            await plan_job(self.folder, spec, manifest, asked, notify_asked(asked))
        return picked

    async def _read(self, asked: JobOptions) -> tuple[Picked | None, Manifest | None]:
        """What an incremental run found, and the manifest; ``None`` if there is nothing to edit."""
        if not self.schedule.incremental:
            return None, await asyncio.to_thread(manifest_of, asked, self.scratch)
        selection = self.scratch / "selection.jsonl"
        picked = await pick(self.book, self.schedule.name, asked, selection)
        # A selection made before a crash is kept, whatever has come into the folder since.
        kept = await self.folder.store.get(SPOOLED_MANIFEST)
        if kept is not None:
            await asyncio.to_thread(selection.write_bytes, kept)
        elif not picked.chosen:
            return picked, None
        else:
            chosen = await asyncio.to_thread(selection.read_bytes)
            await self.folder.store.put_new(SPOOLED_MANIFEST, chosen, private=True)
        manifest = open_selection(
            asked.manifest, selection, prompt=asked.prompt, limit=asked.limit, repeat=asked.repeat
        )
        return picked, manifest

    async def _opened(self, asked: JobOptions, manifest: Manifest, picked: Picked | None) -> Spec:
        spec = msgspec.structs.replace(
            spec_for(asked, manifest),
            job=self.claim.job,
            out=self.folder.store.url,
            created_at=utc(time.time()),
            note=f"Run of schedule {self.schedule.name}{f': {picked.in_words()}' if picked else ''}.",
        )
        await self.folder.create(spec)
        failpoint("slot_opened")
        return spec


def _check_cost(asked: JobOptions, manifest: Manifest, name: str) -> None:
    """Refuse a run that ``submit`` would ask a person about; its budget bounds what it can cost.

    Raises:
        UsageError: it would cost more than ``--confirm-above``.
    """
    survey = survey_of(asked, manifest)
    if tell_faults(survey, manifest, lambda line: log.debug("schedule_fault schedule=%s: %s", name, line)):
        log.warning("schedule_faults schedule=%s: %s at fault", name, plural(survey.faulty, "row"))
    if must_ask(survey.cost, asked.ask_above, asked.budget):
        raise UsageError(
            f"{plural(survey.calls, 'call')} for {in_words(survey.cost)}, more than --confirm-above "
            f"{asked.confirm_above:g}, and nobody can be asked: `retouch schedule edit {name} -- --budget USD`"
        )


@asynccontextmanager
async def _locked(folder: JobFolder) -> AsyncIterator[None]:
    """Hold the lock of a job's folder.

    Raises:
        Busy: another scheduler holds it.
    """
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(run_lock(folder.store))
        except JobError as error:
            raise Busy from error
        yield
