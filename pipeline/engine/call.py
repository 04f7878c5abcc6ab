"""One call of a row: put the intent, send the request, judge the answer, verify and store the picture.

:mod:`pipeline.policy` decides what happens next, and :mod:`pipeline.engine.row` does it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from pipeline.attempt import Attempt, Variant, Verdict
from pipeline.edit import Edit
from pipeline.engine.jobrun import JobRun
from pipeline.engine.record import output_picture
from pipeline.errors import InvalidInput
from pipeline.failpoints import failpoint
from pipeline.gemini.answer import Answer, Failure
from pipeline.gemini.judgement import Judgement
from pipeline.gemini.request import ImageRequest, wording
from pipeline.gemini.verdict import bad_picture, file_gone, judge, unchanged_picture
from pipeline.history import History
from pipeline.job.shard import Intent
from pipeline.picture import BadPicture, SentPicture, VerifiedPicture, is_unchanged
from pipeline.policy import variant
from pipeline.ports import Lease
from pipeline.price import charged
from pipeline.record import OutputPicture
from pipeline.store import Bytes
from pipeline.timestamp import utc

log = logging.getLogger("retouch.call")


class LeaseLost(Exception):  # noqa: N818 - it is an event, not an error
    """Another process has taken over the shard; this one makes no more calls or puts for its rows."""


@dataclass(frozen=True)
class Received:
    """What became of an answer: its judgement, and the picture that was stored."""

    judged: Judgement
    picture: OutputPicture | None = None


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Makes the calls of one row, one after the other.

    Attributes:
        pictures: ready to be sent.
        uploaded: addresses at the API of the pictures that are too big for its requests, by sha256.
        lease: asked right before each call and before each put.
    """

    job: JobRun
    shard: int
    edit: Edit
    model: str
    aspect_ratio: str | None
    image_size: str | None
    pictures: tuple[SentPicture, ...]
    uploaded: Mapping[str, str]
    lease: Lease

    async def make(self, history: History, price: float | None, aside: float) -> tuple[Attempt, Received]:
        """Make the call that follows *history*, and settle the *aside* dollars that were reserved for it.

        Args:
            history: what was tried before.
            price: the estimate, in dollars.
            aside: *price*, or more if earlier tries turned out to be more expensive.

        Raises:
            LeaseLost: another process has the shard.
            InvalidInput: a picture changed while it was being sent; the request was never sent completely.
            StoreError: the store failed and the job was stopped.
        """
        spent: float | None = 0.0
        try:
            put = variant(history.tries)
            await self._intend(history, put, price)
            # From here on, a call that ends without an answer counts as paid for.
            spent = None
            attempt, received = await self._call(history, put, price)
            spent = attempt.cost_usd
        except InvalidInput:
            spent = 0.0
            raise
        finally:
            self.job.dearest.seen(self.model, price, spent)
            await asyncio.shield(self.job.budget.settle(aside, aside if spent is None else spent))
        return attempt, received

    async def receive(self, reply: Answer | Failure) -> Received:
        """Judge *reply*, verify its picture off the loop and store it untouched."""
        judged = file_gone(judge(reply), self.uploaded.values())
        if judged.verdict is not Verdict.IMAGE or judged.picture is None:
            return Received(judged)
        received = await self._verified(judged, judged.picture)
        if isinstance(reply, Answer):
            # Stored: do not keep it in memory until the garbage collector finds the row's cycles.
            reply.blobs = {}
        return Received(msgspec.structs.replace(received.judged, picture=None), received.picture)

    def _check_lease(self) -> None:
        """Raise :class:`LeaseLost` if another process may have the shard."""
        if not self.lease.held():
            raise LeaseLost

    async def _intend(self, history: History, put: Variant, price: float | None) -> None:
        self._check_lease()
        intent = Intent(
            row=self.edit.row,
            n=history.made + 1,
            variant=put,
            model=self.model,
            started_at=utc(time.time()),
            price=price,
            history=history,
        )
        if not await self.job.keeper.put(lambda: self.job.folder.shards.put_intent(self.shard, intent)):
            raise LeaseLost
        failpoint("intended")
        # A process that was frozen during the put must not pay for rows that another has taken over.
        if not self.lease.held():
            await self.lease.sure()
            self._check_lease()

    async def _call(self, history: History, put: Variant, price: float | None) -> tuple[Attempt, Received]:
        gauge = _Gauge(self.job.progress.call_begun)
        judged = Judgement(verdict=Verdict.INTERRUPTED, counted=False, unknown=True)
        started, clock = time.time(), time.monotonic()
        seconds = 0.0
        try:
            async with self.job.client.call(
                self._request(put), timeout=self.job.timeout, on_begun=gauge.begin
            ) as reply:
                seconds = time.monotonic() - clock
                failpoint("received")
                received = await self.receive(reply)
            judged = received.judged
        except InvalidInput:
            # A picture changed while it was being sent, so the request was never sent completely.
            judged = Judgement(verdict=Verdict.NETWORK, counted=False)
            raise
        finally:
            attempt = Attempt(
                n=history.made + 1,
                started_at=utc(started),
                seconds=round(seconds, 3),
                verdict=judged.verdict,
                counted=judged.counted,
                prompt_variant=put,
                http_status=judged.http_status,
                finish_reason=judged.finish_reason,
                tokens=judged.tokens,
                cost_usd=charged(judged, self.model, price),
                unknown=judged.unknown and gauge.begun,
                begun=gauge.begun,
                detail=judged.detail,
            )
            self.job.progress.call_ended(attempt)
            self._say(attempt)
        return attempt, received

    def _say(self, attempt: Attempt) -> None:
        log.debug(
            "call job=%s row=%s n=%s variant=%s verdict=%s status=%s finish=%s seconds=%.2f usd=%s unknown=%s",
            self.job.spec.job,
            self.edit.row,
            attempt.n,
            attempt.prompt_variant,
            attempt.verdict,
            attempt.http_status,
            attempt.finish_reason,
            attempt.seconds,
            attempt.cost_usd,
            attempt.unknown,
        )

    def _request(self, put: Variant) -> ImageRequest:
        prompt, modalities = wording(self.edit.prompt, put)
        return ImageRequest(
            model=self.model,
            prompt=prompt,
            pictures=self.pictures,
            uploaded=self.uploaded,
            modalities=modalities,
            aspect_ratio=self.aspect_ratio,
            image_size=self.image_size,
        )

    async def _verified(self, judged: Judgement, data: Bytes) -> Received:
        try:
            verified = await self.job.verify(data)
        except BadPicture as bad:
            return Received(bad_picture(judged, str(bad)))
        if is_unchanged(verified.sha256, self.pictures):
            return Received(unchanged_picture(judged, "it is identical to the input"))
        return Received(judged, await self.keep(verified, data))

    async def keep(self, verified: VerifiedPicture, data: Bytes) -> OutputPicture:
        """Store a verified picture under the row's name."""
        sure = await self.lease.sure()
        if self.lease.gone:
            raise LeaseLost
        failpoint("verified")
        folder, name = self.job.folder, self.edit.name
        path = await self.job.keeper.put(lambda: folder.put_picture(name, verified.extension, data))
        # Without a sure lease the picture stays, since it was paid for: whoever has the shard next adopts it.
        if path is None or not sure:
            raise LeaseLost
        failpoint("kept")
        return output_picture(path, verified, len(data))

    async def keep_copy(self, data: bytes) -> OutputPicture:
        """Store the picture of an identical edit under the row's name.

        No intent tells of a copy. What is there already was left by a process that died before the row's record, and
        is the row's own.
        """
        folder = self.job.folder
        path = await folder.find_picture(self.edit.name)
        left = await folder.store.get(path) if path else None
        if path is None or left is None:
            return await self.keep(await self.job.verify(data), data)
        if not await self.lease.sure():
            raise LeaseLost
        return output_picture(path, await self.job.verify(left), len(left))


class _Gauge:
    """Remembers whether any of a call's body was sent."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.begun = False
        self._tell = tell

    def begin(self) -> None:
        self.begun = True
        self._tell()
        failpoint("begun")
