"""A claimed slot becomes a job: what ``retouch submit`` does, under the name that the claim gave it.

May be killed anywhere and called again: an existing folder is continued, as ``submit`` does.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jobs.schedule.book import ScheduleBook
from jobs.schedule.making import Busy, JobMaker
from jobs.schedule.options import asked_of
from jobs.schedule.refusal import tell_refused
from jobs.schedule.schedule import Overlap, Schedule
from jobs.schedule.settling import outcome_of
from jobs.schedule.slots import Begun, Ended, SlotClaim, SlotOutcome
from pipeline.engine.brake import over_budget
from pipeline.errors import JobError, ManifestError, UsageError
from pipeline.failpoints import failpoint
from pipeline.job.folder import JobFolder
from pipeline.job.registry import JobEntry, last_status, register
from pipeline.job.spec import Spec
from pipeline.status import ENDED, State
from workers.shared.status import NO_WORKER
from workers.submitting import hand_over, status_at, want

log = logging.getLogger("retouch.scheduler")


@dataclass(frozen=True)
class _Going:
    """The previous run has not ended; *waits*: this run waits for it, and is not skipped."""

    reason: str
    waits: bool


@dataclass(frozen=True)
class Launcher:
    """Starts the runs of a store's schedules."""

    book: ScheduleBook
    redis_url: str

    async def begin(self, schedule: Schedule, claim: SlotClaim) -> SlotOutcome | None:
        """What became of the slot; ``None`` while it has to wait, such as for the previous run.

        Raises:
            BrokerError: Redis is out of reach.
            StoreError: the store cannot be used.
        """
        try:
            parent = asked_of(schedule.options).out or self.book.store.url
            folder = JobFolder.at(f"{parent}/{claim.job}")
            there = await folder.spec()
            if there is None and (going := await self._going(schedule)):
                return None if going.waits else outcome_of(claim, Ended.SKIPPED, going.reason)
            return await self._begun(schedule, claim, folder, there)
        except Busy:
            return None
        except (ManifestError, UsageError, JobError) as error:
            if not claim.by_hand:
                await tell_refused(schedule, claim, str(error))
            return outcome_of(claim, Ended.REFUSED, str(error))

    async def _begun(
        self, schedule: Schedule, claim: SlotClaim, folder: JobFolder, there: Spec | None
    ) -> SlotOutcome:
        picked = None
        if there is None or await folder.planned() is None:
            with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
                maker = JobMaker(self.book, schedule, claim, folder, Path(scratch))
                picked = await maker.make(there)
        spec = await folder.spec()
        if spec is None:
            assert picked is not None  # noqa: S101 - a job without new pictures is the only one that is not made
            nothing = outcome_of(claim, Ended.NOTHING_NEW, picked.in_words())
            return msgspec.structs.replace(nothing, picked=picked)
        entry = JobEntry(job=spec.job, out=folder.store.url, submitted=True)
        await register(self.book.store, entry)
        handed = await hand_over(self.redis_url, folder, spec, adjust=True)
        failpoint("slot_handed")
        if not handed.workers:
            log.warning("schedule_waits schedule=%s job=%s: %s", schedule.name, claim.job, NO_WORKER)
        await self.book.begin(schedule.name, Begun(claim.job, folder.store.url))
        said = picked.in_words() if picked else spec.note if schedule.incremental else None
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
        if state is State.PAUSED and over_budget(reason):
            # Its budget was for that run alone, so the rest of its pictures is for the next run.
            wanted = msgspec.structs.replace(wanted, state=State.CANCELLED)
            await want(self.redis_url, folder, last.job, wanted)
        if wanted.state is State.CANCELLED:
            return _Going(f"{last.job} is being cancelled", waits=True)
        reason = f" ({reason})" if reason else ""
        mend = f": `retouch resume {last.job}`, or cancel it" if state in (State.HALTED, State.PAUSED) else ""
        return _Going(f"{last.job} is still {state}{reason}{mend}", waits=schedule.overlap is Overlap.QUEUE)
