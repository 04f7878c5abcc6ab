"""The way of one row: pictures in, calls, verdicts, picture out, record.

Three steps that can each be called alone: :meth:`Row.send` makes one call, :meth:`Row.receive` verifies and
stores what came, :meth:`Row.settle` writes the record. Whatever is decided between them is
:mod:`pipeline.policy`'s.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass

import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from pipeline.edit import (
    Attempt,
    Edit,
    History,
    Outcome,
    OutputPicture,
    Record,
    State,
    Variant,
    Verdict,
    utc,
)
from pipeline.errors import InvalidInput
from pipeline.gemini.answer import Answer, Failure
from pipeline.gemini.request import ImageRequest, wording
from pipeline.gemini.verdict import Judgement, bad_picture, judge, unchanged
from pipeline.inputs import RootUnseen
from pipeline.job.planning import price_of
from pipeline.job.shard import Intent
from pipeline.jobrun import JobRun
from pipeline.picture import BadPicture, SentPicture, VerifiedPicture, verify
from pipeline.picture import unchanged as is_unchanged
from pipeline.policy import Again, Halt, Next, Settle, decide, variant
from pipeline.ports import Lease
from pipeline.price import cost
from pipeline.record import output, record_of
from pipeline.store import Bytes

log = logging.getLogger("retouch.row")

#: A row that waits longer than this says first what it has tried, so that a crash does not make it unknown.
_WORTH_A_NOTE = 1.0


OVER_BUDGET = (
    "budget: the next call would pass the job's budget; raise it with --budget and run the same command again"
)


class LeaseLost(Exception):  # noqa: N818 - it is an event, not an error
    """Another process has taken the shard over; nothing more is called or put for its rows here."""


class Stopped(msgspec.Struct, frozen=True):
    """The job was stopped before the next call: the row stays as it is."""


@dataclass
class Received:
    """What one call came to: its judgement, and the picture that was stored."""

    judged: Judgement
    picture: OutputPicture | None = None


class Row:
    """One row on its way. A row is used once, by one task."""

    def __init__(self, job: JobRun, shard: int, edit: Edit, history: History, lease: Lease) -> None:
        self.job = job
        self.shard = shard
        self.edit = edit
        self.history = history
        self.lease = lease
        self.model = edit.model or job.spec.model
        self.holds_slot = False
        self._received: Received | None = None
        self._inputs: tuple[SentPicture, ...] = ()

    async def settle(self) -> Record | None:
        """The row's record, put; ``None`` when the job was stopped first.

        Raises:
            LeaseLost: another process has the shard.
            StoreError: the store failed and the job was stopped, so that nobody waits for it.
        """
        try:
            record = await self._record()
        finally:
            self.release_slot()
        if record is None:
            await self._leave()
            return None
        self._check_lease()
        if not await self.job.keeper.put(lambda: self.job.folder.put_record(self.shard, record)):
            raise LeaseLost
        self.job.progress.row_settled(record)
        return record

    async def _record(self) -> Record | None:
        if self.edit.faults:
            fault = self.edit.faults[0]
            where = f"line {fault.line}" + (f", column {fault.column}" if fault.column else "")
            return self._settled(Settle(Outcome.INVALID, f"{fault.code}: {where}: {fault.message}"))
        if self.job.brake.cancelled:
            return self._cancelled()
        try:
            self._check_options()
            async with self.job.inputs(self.edit) as pictures:
                self._inputs = pictures
                return await self._tries(pictures)
        except InvalidInput as fault:
            return self._settled(Settle(Outcome.INVALID, f"{fault.code}: {fault.message}"))
        except RootUnseen as unseen:
            self.job.brake.stop(State.WAITING, str(unseen))
            return None

    def _check_options(self) -> None:
        model = self.job.catalogue.find(self.model)
        ratio, size = self._ratio_and_size()
        fault = model.fault(ratio, size, len(self.edit.images)) if model else None
        if fault:
            raise InvalidInput("option", fault)

    def _ratio_and_size(self) -> tuple[str | None, str | None]:
        spec = self.job.spec
        return self.edit.aspect_ratio or spec.aspect_ratio, self.edit.image_size or spec.image_size

    async def _tries(self, pictures: tuple[SentPicture, ...]) -> Record | None:
        async def attempt() -> Next | Stopped:
            return await self.send(pictures)

        after: Next | Stopped = await AsyncRetrying(
            retry=retry_if_result(lambda step: isinstance(step, Again)),
            wait=_seconds,
            sleep=self._rest,
        )(attempt)
        if isinstance(after, Halt):
            self.job.halt(after.reason)
            return None
        if isinstance(after, Settle):
            return self._settled(after)
        return self._cancelled() if self.job.brake.cancelled else None

    async def send(self, pictures: tuple[SentPicture, ...]) -> Next | Stopped:
        """Make the row's next call, when it is wanted, allowed and affordable; what follows from it."""
        price = price_of(self.edit, self.job.spec)
        if not await self._allowed(price or 0.0):
            return Stopped()
        put = variant(self.history.tries)
        try:
            self._check_lease()
            await self._intend(put, price)
            # A process that was frozen meanwhile must not pay for what another has taken over.
            self._check_lease()
        except BaseException:
            await asyncio.shield(self.job.budget.settle(price or 0.0, 0.0))
            raise
        attempt = await self._call(pictures, put, price or 0.0)
        self.history = self.history.after(attempt)
        self.job.progress.call_ended(attempt)
        return await self._what_next()

    async def _allowed(self, price: float) -> bool:
        """Wait for a slot, the pace and the money; false when the job was stopped meanwhile."""
        brake = self.job.brake
        await brake.race(self.job.keeper.ready())
        delay = 0.0 if brake.stopped else await self.job.pace.turn(self.model)
        if delay > 0:
            self.release_slot()
        if await brake.wait(delay) or not await self.take_slot():
            return False
        granted = await brake.race(self.job.budget.reserve(price))
        if granted and not brake.stopped:
            return True
        if granted:
            await self.job.budget.settle(price, 0.0)
        elif granted is False:
            brake.stop(State.PAUSED, OVER_BUDGET)
        return False

    async def take_slot(self) -> bool:
        """Hold a slot; false when the job was stopped first."""
        if not self.holds_slot:
            self.holds_slot = await take(self.job)
        return self.holds_slot

    def release_slot(self) -> None:
        """Give the slot back, if held."""
        if self.holds_slot:
            self.holds_slot = False
            self.job.slots.release()

    async def _intend(self, put: Variant, price: float | None) -> None:
        intent = Intent(
            row=self.edit.row,
            n=self.history.made + 1,
            variant=put,
            model=self.model,
            started_at=utc(time.time()),
            price=price,
            history=self.history,
        )
        if not await self.job.keeper.put(lambda: self.job.folder.put_intent(self.shard, intent)):
            raise LeaseLost

    async def _call(self, pictures: tuple[SentPicture, ...], put: Variant, reserved: float) -> Attempt:
        prompt, modalities = wording(self.edit.prompt, put)
        ratio, size = self._ratio_and_size()
        request = ImageRequest(
            model=self.model,
            prompt=prompt,
            pictures=pictures,
            modalities=modalities,
            aspect_ratio=ratio,
            image_size=size,
        )
        started, clock = time.time(), time.monotonic()
        begun = self.job.progress.call_begun
        spent: float | None = reserved
        try:
            async with self.job.client.call(request, timeout=self.job.timeout, on_begun=begun) as reply:
                seconds = time.monotonic() - clock
                self._received = received = await self.receive(reply)
            attempt = self._attempt(received.judged, reply, put, started, seconds)
            spent = attempt.cost_usd
        finally:
            # What may have been paid without anybody knowing counts as paid.
            await asyncio.shield(self.job.budget.settle(reserved, reserved if spent is None else spent))
        return attempt

    async def receive(self, reply: Answer | Failure) -> Received:
        """Judge *reply*, verify its picture off the loop and store it untouched."""
        judged = judge(reply)
        if judged.verdict is not Verdict.IMAGE or judged.picture is None:
            return Received(judged)
        received = await self._verified(judged, judged.picture)
        if isinstance(reply, Answer):
            # What is stored need not wait in memory until the collector finds the row's cycles.
            reply.blobs = {}
        return Received(msgspec.structs.replace(received.judged, picture=None), received.picture)

    async def _verified(self, judged: Judgement, data: Bytes) -> Received:
        loop = asyncio.get_running_loop()
        try:
            verified = await loop.run_in_executor(self.job.decoders, verify, data)
        except BadPicture as bad:
            return Received(bad_picture(judged, str(bad)))
        if is_unchanged(verified.sha256, self._inputs):
            return Received(unchanged(judged, "its bytes are those of the input"))
        self._check_lease()
        return Received(judged, await self._keep(verified, data))

    async def _keep(self, verified: VerifiedPicture, data: Bytes) -> OutputPicture:
        folder, name = self.job.folder, self.edit.name
        path = await self.job.keeper.put(lambda: folder.put_picture(name, verified.extension, data))
        if path is None:
            raise LeaseLost
        return output(path, verified, len(data))

    def _attempt(
        self, judged: Judgement, reply: Answer | Failure, put: Variant, started: float, seconds: float
    ) -> Attempt:
        return Attempt(
            n=self.history.made + 1,
            started_at=utc(started),
            seconds=round(seconds, 3),
            verdict=judged.verdict,
            counted=judged.counted,
            prompt_variant=put,
            http_status=judged.http_status,
            finish_reason=judged.finish_reason,
            tokens=judged.tokens,
            cost_usd=self._cost(judged),
            unknown=judged.unknown,
            begun=not isinstance(reply, Failure) or reply.begun,
            detail=judged.detail,
        )

    def _cost(self, judged: Judgement) -> float | None:
        """What the call cost: by its usage, nothing where the API refused it, unknown where nobody can say."""
        if judged.tokens is not None:
            return cost(self.model, judged.tokens)
        return None if judged.unknown or judged.http_status == 200 else 0.0

    async def _what_next(self) -> Next:
        received = self._received
        assert received is not None  # noqa: S101 - send() has just set it
        judged, job = received.judged, self.job
        step = decide(
            judged,
            self.history,
            attempts=job.spec.attempts,
            jitter=random.random(),  # noqa: S311 - spreads retries, hides nothing
            own_model=self.edit.model not in (None, job.spec.model),
        )
        if judged.verdict is Verdict.IMAGE:
            job.faults.succeeded = True
        if judged.verdict is Verdict.INVALID_REQUEST and job.faults.halts(judged):
            step = Halt(_wrong_job(step))
        if isinstance(step, Again):
            await self._prepare_to_wait(step)
        return step

    async def _prepare_to_wait(self, step: Again) -> None:
        if step.hold:
            await self.job.pace.hold(self.model, step.hold)
        if step.patience:
            self.history = msgspec.structs.replace(self.history, waited=self.history.waited + step.seconds)
        if step.seconds >= _WORTH_A_NOTE:
            await self._note()

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            self.release_slot()
            await self.job.brake.wait(seconds)

    async def _leave(self) -> None:
        """The row stays unsettled: what was tried is kept for whoever goes on with it."""
        if self._received is not None and self.lease.held():
            await self._note()

    async def _note(self) -> None:
        folder, history = self.job.folder, self.history
        await self.job.keeper.put(lambda: folder.put_tried(self.shard, self.edit.row, history))

    def _check_lease(self) -> None:
        if not self.lease.held():
            raise LeaseLost

    def _cancelled(self) -> Record:
        return self._settled(
            Settle(Outcome.CANCELLED, "cancelled: the job was cancelled before this row was done")
        )

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


async def take(job: JobRun) -> bool:
    """Take one of the job's slots; false when the job was stopped first."""
    if job.brake.stopped:
        return False
    if not job.slots.locked():
        return await job.slots.acquire()
    return bool(await job.brake.race(job.slots.acquire()))


def _seconds(state: RetryCallState) -> float:
    step = state.outcome.result() if state.outcome else None
    return step.seconds if isinstance(step, Again) else 0.0


def _wrong_job(step: Next) -> str:
    said = step.reason if isinstance(step, Settle) else ""
    return (
        f"{said}; the same fault five times and no success yet: mend the options or the manifest, "
        "then run the same command again"
    )
