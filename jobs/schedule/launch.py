"""A claimed slot becomes a job: what ``retouch submit`` does, under the name that the claim gave it.

May be killed anywhere and called again: a folder that is there is gone on with, as ``submit`` does.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from jobs.confirm import in_words, must_ask
from jobs.faults import tell_faults
from jobs.job_options import JobOptions
from jobs.manifests import manifest_of
from jobs.notifying import notify_asked
from jobs.opening import check_options, spec_for
from jobs.schedule.book import ScheduleBook
from jobs.schedule.options import asked_of
from jobs.schedule.pictures import pick
from jobs.schedule.schedule import Overlap, Schedule
from jobs.schedule.settling import outcome_of
from jobs.schedule.slots import Begun, Ended, Picked, SlotClaim, SlotOutcome
from jobs.survey import survey_of
from pipeline.errors import JobError, ManifestError, UsageError
from pipeline.failpoints import failpoint
from pipeline.job.folder import SPOOLED_MANIFEST, JobFolder
from pipeline.job.inputs import upload
from pipeline.job.planning import Planner
from pipeline.job.registry import JobEntry, last_status, register
from pipeline.job.runlock import run_lock
from pipeline.job.spec import Spec
from pipeline.manifest import Manifest, open_selection
from pipeline.notify.settings import store_settings
from pipeline.report.words import plural
from pipeline.status import ENDED, State
from pipeline.store import open_store, prove
from pipeline.timestamp import utc
from workers.shared.status import NO_WORKER
from workers.submitting import hand_over, status_at, want

log = logging.getLogger("retouch.scheduler")

#: How the reason begins for which a job's own budget has stopped it (pipeline.engine.permit).
_BUDGET = "budget:"


@dataclass(frozen=True)
class _Going:
    """The run before is not at its end."""

    reason: str
    waits: bool


class _Busy(Exception):  # noqa: N818 - an event, not an error
    """Another process is making this very job."""


@dataclass(frozen=True)
class Launcher:
    """Begins the runs of a store's schedules."""

    book: ScheduleBook
    redis_url: str

    async def begin(self, schedule: Schedule, claim: SlotClaim) -> SlotOutcome | None:
        """What the slot becomes; ``None`` while it has to wait, as for the run before it.

        Raises:
            BrokerError: Redis is out of reach.
            StoreError: the store is.
        """
        try:
            parent = asked_of(schedule.options).out or self.book.store.url
            folder = JobFolder.at(f"{parent}/{claim.job}")
            there = await folder.spec()
            if there is None and (going := await self._going(schedule)):
                return None if going.waits else outcome_of(claim, Ended.SKIPPED, going.reason)
            return await self._begun(schedule, claim, folder, there)
        except _Busy:
            return None
        except (ManifestError, UsageError, JobError) as error:
            return outcome_of(claim, Ended.REFUSED, str(error))

    async def _begun(
        self, schedule: Schedule, claim: SlotClaim, folder: JobFolder, there: Spec | None
    ) -> SlotOutcome:
        picked = None
        if there is None or await folder.planned() is None:
            with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
                making = _Making(self.book, schedule, claim, folder, Path(scratch))
                picked = await making.make(there)
        spec = await folder.spec()
        if spec is None:
            assert picked is not None  # noqa: S101 - a job without new pictures is the only one that is not made
            nothing = outcome_of(claim, Ended.NOTHING_NEW, skipped(picked))
            return msgspec.structs.replace(nothing, picked=picked)
        entry = JobEntry(job=spec.job, out=folder.store.url, submitted=True)
        await register(self.book.store, entry)
        handed = await hand_over(self.redis_url, folder, spec, adjust=True)
        failpoint("slot_handed")
        if not handed.workers:
            log.warning("schedule_waits schedule=%s job=%s: %s", schedule.name, claim.job, NO_WORKER)
        await self.book.begin(schedule.name, Begun(claim.job, folder.store.url))
        said = skipped(picked) if picked else spec.note if schedule.incremental else None
        started = outcome_of(claim, Ended.STARTED, said)
        return msgspec.structs.replace(started, job=claim.job, out=folder.store.url, picked=picked)

    async def _going(self, schedule: Schedule) -> _Going | None:
        last = await self.book.begun(schedule.name)
        if last is None:
            return None
        folder = JobFolder.at(last.out)
        if await folder.spec() is None:
            # Somebody has removed its folder.
            return None
        status = await status_at(self.redis_url, last.job) or await last_status(folder)
        state, reason = (status.state, status.state_reason or "") if status else (State.QUEUED, "")
        if state in ENDED:
            return None
        wanted = await folder.wanted()
        if state is State.PAUSED and reason.startswith(_BUDGET):
            # Its budget was for that run alone; what it has left is for the next.
            wanted = msgspec.structs.replace(wanted, state=State.CANCELLED)
            await want(self.redis_url, folder, last.job, wanted)
        if wanted.state is State.CANCELLED:
            return _Going(f"{last.job} is being cancelled", waits=True)
        mend = (
            ""
            if state not in (State.HALTED, State.PAUSED)
            else f": `retouch resume {last.job}`, or cancel it"
        )
        said = f"{last.job} is still {state}{f' ({reason})' if reason else ''}{mend}"
        return _Going(said, waits=schedule.overlap is Overlap.QUEUE)


@dataclass(frozen=True)
class _Making:
    """A job that is being made, from its manifest to its plan."""

    book: ScheduleBook
    schedule: Schedule
    claim: SlotClaim
    folder: JobFolder
    scratch: Path

    async def make(self, there: Spec | None) -> Picked | None:
        """Make the job, or go on with what is *there*; what an incremental run found. With nothing new there is none.

        Raises:
            ManifestError, UsageError, JobError: it cannot be.
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
        async with _Hold(self.folder):
            await store_settings(self.folder, notify_asked(asked))
            if asked.upload:
                await upload(self.folder, manifest.edits(), survey_of(asked, manifest).roots)
            await Planner(self.folder, manifest, spec).read()
        return picked

    async def _read(self, asked: JobOptions) -> tuple[Picked | None, Manifest | None]:
        """What is to be edited; no manifest, where nothing is."""
        if not self.schedule.incremental:
            return None, await asyncio.to_thread(manifest_of, asked, self.scratch)
        selection = self.scratch / "selection.jsonl"
        picked = await pick(self.book, self.schedule.name, asked, selection)
        # One that was chosen before somebody was killed holds, whatever has come into the folder meanwhile.
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
            note=skipped(picked, self.schedule.name) if picked else f"Run of schedule {self.schedule.name}.",
        )
        await self.folder.create(spec)
        failpoint("slot_opened")
        return spec


def skipped(picked: Picked, name: str | None = None) -> str:
    """``Run of schedule NAME: 12 new; skipped: 9,988 unchanged.``, or without *name* its end alone."""
    counts = [
        f"{count:,} {word}"
        for word, count in (
            ("new", picked.new),
            ("changed", picked.changed),
            ("left by an earlier run", picked.again),
            ("left for the next", picked.left),
        )
        if count
    ]
    said = f"{', '.join(counts) or 'nothing new'}; skipped: {picked.unchanged:,} unchanged"
    return f"Run of schedule {name}: {said}." if name else said


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


class _Hold(AsyncExitStack):
    """The hold on a job's folder.

    Raises:
        _Busy: another scheduler has it.
    """

    def __init__(self, folder: JobFolder) -> None:
        super().__init__()
        self._folder = folder

    async def __aenter__(self) -> Self:
        try:
            await self.enter_async_context(run_lock(self._folder.store))
        except JobError as error:
            raise _Busy from error
        return self
