"""One row from its pictures to its record, with as many calls as the policy allows."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from pipeline.attempt import Attempt, Verdict
from pipeline.edit import Edit, Fault
from pipeline.engine.call import Calls, LeaseLost, Received
from pipeline.engine.deferred import Deferred
from pipeline.engine.jobrun import JobRun
from pipeline.engine.permit import Permit
from pipeline.engine.record import record_of
from pipeline.engine.upload import UPLOAD, upload_files
from pipeline.errors import InvalidInput
from pipeline.failpoints import failpoint
from pipeline.history import History
from pipeline.inputs import fault_of
from pipeline.limits.pace import seconds_to_new_day
from pipeline.picture import SentPicture
from pipeline.policy import Halt, Next, Retry, Settle, decide, wrong_job
from pipeline.ports import Lease
from pipeline.price import no_budget, price_of
from pipeline.record import Outcome, Record
from pipeline.reuse import fingerprint
from pipeline.roots import RootUnseen
from pipeline.status import State

if TYPE_CHECKING:
    from pipeline.gemini.files import RowFiles

log = logging.getLogger("retouch.row")

#: Before a longer wait than this, a row writes down what it has tried, so that a crash does not lose that.
_WORTH_A_NOTE = 1.0
#: Seconds between two checks whether an identical row has been settled.
_LOOK = 0.25


class Stopped(msgspec.Struct, frozen=True):
    """The job was stopped before the row's next call."""


class Row:
    """One row on its way. A row is used once, by one task."""

    def __init__(
        self, job: JobRun, shard: int, edit: Edit, history: History, lease: Lease, deferred: Deferred
    ) -> None:
        self.job = job
        self.shard = shard
        self.edit = edit
        self.history = history
        self.lease = lease
        self.deferred = deferred
        self.model = edit.model or job.spec.model
        self.aspect_ratio = edit.aspect_ratio or job.spec.aspect_ratio
        self.image_size = edit.image_size or job.spec.image_size
        self.permit = Permit(job, self.model, lease)
        self._received: Received | None = None
        self._inputs: tuple[SentPicture, ...] = ()
        self._files: RowFiles | None = None

    @cached_property
    def price(self) -> float | None:
        """Dollars to reserve for each call; ``None`` if the model's price is unknown."""
        return price_of(self.edit, self.job.spec.model, self.job.spec.image_size)

    async def begin(self) -> bool:
        """Take a slot, if the row may need one; false, and no slot is held, if the job is stopped first."""
        if not self.edit.faults and not self.job.set_aside:
            await self.permit.take_slot()
        if self.job.brake.stopped and not self.job.brake.cancelled:
            self.permit.release_slot()
            return False
        return True

    async def settle(self) -> Record | None:
        """The row's record, put or left for the fold of its shard; ``None`` if the job is stopped first.

        Raises:
            LeaseLost: another process has the shard.
            StoreError: the store failed and the job was stopped, so nobody can wait for it.
        """
        try:
            record = await self._record()
        finally:
            self.permit.release_slot()
        if record is None:
            await self._leave()
            return None
        if not await self.lease.sure():
            raise LeaseLost
        if not await self.deferred.settle(record):
            raise LeaseLost
        failpoint("settled")
        self.job.progress.row_settled(record)
        facts = (self.job.spec.job, record.row, record.outcome, record.code or "")
        log.info("row_settled job=%s row=%s outcome=%s reason=%s", *facts)
        return record

    async def _record(self) -> Record | None:
        if self.edit.faults:
            return self._invalid(self.edit.faults[0])
        if self.job.brake.cancelled:
            return self._cancelled()
        if self.job.set_aside:
            return self._settled(Settle(Outcome.FAILED, self.job.set_aside))
        try:
            self._check_options()
            async with self.job.inputs(self.edit) as pictures:
                self._inputs = pictures
                self._files = self.job.client.files_of_row(pictures)
                return await self._edited()
        except InvalidInput as error:
            return self._invalid(fault_of(self.edit, error))
        except RootUnseen as unseen:
            self.job.brake.stop(State.WAITING, str(unseen))
            return None
        finally:
            if self._files:
                self._files.release()

    def _check_options(self) -> None:
        model = self.job.catalogue.find(self.model)
        faults = model.faults(self.aspect_ratio, self.image_size, len(self.edit.images)) if model else {}
        for column, fault in faults.items():
            raise InvalidInput("option", fault, column)
        if self.job.spec.budget is not None and self.price is None:
            raise InvalidInput("option", no_budget(self.model), "model")

    async def _edited(self) -> Record | None:
        """The record of a row that can be sent: from calls, or from an identical edit that was paid for before."""
        await self.deferred.put()
        mark = fingerprint(self._inputs, self.edit.prompt, self.model, self.aspect_ratio, self.image_size)
        if not self.job.spec.reuse:
            return await self._called(mark)
        while not await self.job.reuse.claims.claim(mark):
            self.permit.release_slot()
            if await self.job.brake.wait(_LOOK):
                return self._stopped()
        try:
            return await self._reused(mark) or await self._called(mark)
        finally:
            await self.job.reuse.claims.release(mark)

    async def _reused(self, mark: str) -> Record | None:
        found = await self.job.reuse.find(mark)
        if found is None:
            return None
        made, data = found
        picture = await self._calls().keep_copy(data)
        record = self._settled(Settle(Outcome.DONE))
        return msgspec.structs.replace(
            record,
            images=(picture,),
            text=made.text,
            model_version=made.model_version,
            reused=True,
            reused_from=made.name if picture.sha256 == made.picture.sha256 else None,
        )

    async def _called(self, mark: str) -> Record | None:
        after: Next | Stopped = await AsyncRetrying(
            retry=retry_if_result(lambda step: isinstance(step, Retry)),
            wait=_seconds,
            sleep=self._rest,
        )(self._try)
        if isinstance(after, Halt):
            self.job.halt(after.reason)
            return None
        if not isinstance(after, Settle):
            return self._stopped()
        record = self._settled(after)
        if record.outcome is Outcome.DONE:
            await self.job.keeper.put(
                lambda: self.job.reuse.remember(mark, self.job.folder, self.job.spec.job, record)
            )
        return record

    async def _try(self) -> Next | Stopped:
        """Make the row's next call once it is permitted; what happens next."""
        if self._files and (ended := await self._upload_files(self._files)):
            return ended
        aside = self.job.dearest.aside(self.model, self.price or 0.0)
        if not await self.permit.granted(aside):
            return Stopped()
        attempt, received = await self._calls().make(self.history, self.price, aside)
        step = await self._what_next(attempt, received)
        if self._files and attempt.verdict is Verdict.FILE_GONE:
            self._files.forget(attempt.detail or "")
            # The next upload may take long; a crash during it must not make this call look unanswered.
            await self._note()
        return step

    async def _upload_files(self, files: RowFiles) -> Next | Stopped | None:
        """Upload the pictures that are too big for a request; what happens next if that fails."""
        if not await self.permit.take_slot():
            return Stopped()
        refused = await self.job.brake.race(upload_files(self.job, files, self.history))
        if self.job.brake.stopped:
            return Stopped()
        return await self._what_next(*refused) if refused else None

    def _calls(self) -> Calls:
        return Calls(
            job=self.job,
            shard=self.shard,
            edit=self.edit,
            model=self.model,
            aspect_ratio=self.aspect_ratio,
            image_size=self.image_size,
            pictures=self._inputs,
            uploaded=self._files.uris if self._files else {},
            lease=self.lease,
        )

    async def _what_next(self, attempt: Attempt, received: Received) -> Next:
        self.history, self._received = self.history.after(attempt), received
        judged, job = received.judged, self.job
        step = decide(
            judged,
            self.history,
            attempts=job.spec.attempts,
            jitter=random.random(),  # noqa: S311 - spreads retries, hides nothing
            new_day=seconds_to_new_day(datetime.now(UTC)),
            own_model=self.edit.model not in (None, job.spec.model),
        )
        if judged.verdict is Verdict.IMAGE:
            job.faults.succeeded = True
        if job.faults.halts(judged, self.history):
            step = Halt(wrong_job(judged, step))
        if judged.verdict is Verdict.NOT_FOUND and isinstance(step, Halt | Settle):
            step = msgspec.structs.replace(step, reason=f"{step.reason}{job.catalogue.meant(self.model)}")
        if isinstance(step, Retry):
            await self._prepare_to_wait(step)
        return step

    async def _prepare_to_wait(self, step: Retry) -> None:
        last = self.history.attempts[-1]
        # A failed upload does not hold back calls that need none.
        if step.hold and last.step != UPLOAD:
            await self.job.pace.hold(self.model, step.hold)
        if step.patience:
            seconds = step.seconds + (last.seconds if last.step == UPLOAD else 0.0)
            self.history = msgspec.structs.replace(self.history, waited=self.history.waited + seconds)
        if step.seconds >= _WORTH_A_NOTE:
            await self._note()

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self.permit.release_slot()
            await self.job.brake.wait(seconds)

    async def _leave(self) -> None:
        """Leave the row unsettled, with a note of what was tried for whoever continues it."""
        if self._received is not None and await self.lease.sure():
            await self._note()

    async def _note(self) -> None:
        folder, history = self.job.folder, self.history
        await self.job.keeper.put(lambda: folder.shards.put_tried(self.shard, self.edit.row, history))

    def _stopped(self) -> Record | None:
        return self._cancelled() if self.job.brake.cancelled else None

    def _cancelled(self) -> Record:
        reason = "cancelled: the job was cancelled before this row was done"
        return self._settled(Settle(Outcome.CANCELLED, reason))

    def _invalid(self, fault: Fault) -> Record:
        place = ", ".join(filter(None, (f"line {fault.line}", fault.where)))
        return self._settled(Settle(Outcome.INVALID, f"{fault.code}: {place}: {fault.message}"))

    def _settled(self, step: Settle) -> Record:
        judged = self._received.judged if self._received else None
        picture = self._received.picture if self._received else None
        return record_of(
            self.edit,
            self.history,
            step.outcome,
            step.reason,
            model=self.model,
            inputs=self._inputs,
            images=(picture,) if picture else (),
            text=judged.text if judged else None,
            model_version=judged.model_version if judged else None,
        )


def _seconds(state: RetryCallState) -> float:
    step = state.outcome.result() if state.outcome else None
    return step.seconds if isinstance(step, Retry) else 0.0
