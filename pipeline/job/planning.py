"""From a manifest to plans, shard by shard in a thread, while the first shards are already being worked on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from pipeline.edit import Edit
from pipeline.errors import JobError
from pipeline.job.folder import JobFolder, Planned
from pipeline.job.planfiles import PLANNED_TOGETHER
from pipeline.job.spec import Spec
from pipeline.job.totals import over_shards
from pipeline.manifest import Fingerprint, Manifest
from pipeline.manifest.shards import cut
from pipeline.price import Cost, cost_of, price_of


class Tally(NamedTuple):
    """How many rows there are, and what they will cost."""

    rows: int
    cost: Cost


class Planner:
    """Writes the plan of each shard of a job, continuing after the last complete shard of an earlier process.

    Without a *manifest* it uses the plans that exist.

    Attributes:
        shards: how many shards have a plan, without a gap.
        rows: how many rows these have.
        cost: the estimate for one try of each of these rows.
        planned: size and cost of the whole manifest, once it is read.
    """

    def __init__(self, folder: JobFolder, manifest: Manifest | None, spec: Spec) -> None:
        self.folder = folder
        self.manifest = manifest
        self.spec = spec
        self.shards = 0
        self.rows = 0
        self.cost = Cost()
        self.planned: Planned | None = None
        self._source: Fingerprint | None = None
        self._written: dict[int, Tally] = {}
        self._more = asyncio.Condition()
        self._ended = False

    async def begin(self) -> None:
        """Check, before anything else, that the manifest is the one that the job began with.

        As long as the manifest was not read completely, it may be replaced (by a corrected one, for example) if the
        rows that are already planned are the same.

        Raises:
            JobError: it is another one.
            ManifestError: it cannot be read.
        """
        there = await self.folder.planned()
        if self.manifest is None:
            if there is None:
                raise JobError(
                    f"{self.spec.out}: its manifest was never read completely, and does not exist any more"
                )
            return
        self._source = await asyncio.to_thread(self.manifest.fingerprint)
        begun = await self.folder.source()
        if begun is None:
            await self.folder.begin_plan(self._source)
        elif begun.sha256 != self._source.sha256:
            if there is not None and covers(there, self.spec):
                raise JobError(f"{self.spec.manifest} has changed since this job began{_OTHERWISE}")
            await self._compare(self.manifest)
            await self.folder.change_source(self._source)

    async def read(self) -> Planned:
        """Read the manifest to its end, or to the job's limit.

        Raises:
            JobError: the manifest is not the one that the job began with.
            ManifestError: it cannot be read; the rows before that are planned.
        """
        try:
            await self._read()
        finally:
            self._ended = True
            await self._announce()
        assert self.planned is not None  # noqa: S101 - _read() has set it
        return self.planned

    async def numbers(self) -> AsyncIterator[int]:
        """The numbers of the job's shards in order, each as soon as it is planned."""
        number = 0
        while True:
            async with self._more:
                while self.shards <= number and not self._ended:
                    await self._more.wait()
            if self.shards <= number:
                return
            number += 1
            yield number

    async def recall(self) -> None:
        """Use the plans that exist, if :meth:`read` did not finish."""
        if self.planned is None:
            there = await self.folder.planned()
            self.planned = there if there is not None and covers(there, self.spec) else None
            self.shards = await self.folder.plans.count()

    async def _read(self) -> None:
        if self._source is None:
            await self.begin()
        there = await self.folder.planned()
        if there is not None and covers(there, self.spec):
            self.rows, self.cost = there.rows, there.cost
            self.shards, self.planned = there.shards, there
            await self._announce()
            return
        assert self.manifest is not None and self._source is not None  # noqa: S101, PT018 - begin() has seen to it
        whole = await self.folder.plans.count()
        await self._recount(whole)
        await self.folder.plans.drop_after(whole)
        await self._write(cut(self.manifest.edits(after=self.rows), self.spec.shard_rows))
        self.planned = Planned(
            bytes=self._source.bytes,
            sha256=self._source.sha256,
            rows=self.rows,
            shards=self.shards,
            cost_usd=self.cost.usd,
            known_usd=self.cost.known_usd,
            limit=self.spec.limit,
        )
        await self.folder.finish_plan(self.planned)

    async def _recount(self, whole: int) -> None:
        """Count the first *whole* shards, which an earlier process has planned."""
        async for tally in over_shards(whole, self._tally):
            self._add(tally)
        self.shards = whole
        await self._announce()

    async def _tally(self, shard: int) -> Tally:
        return tally_of(await self.folder.plans.first(shard), self.spec)

    async def _write(self, shards: Iterator[list[Edit]]) -> None:
        """Plan *shards*, several at a time: while puts wait for disk or network, the next shards are read.

        However it ends, no put is left running, and everything that is planned without a gap is announced.
        """
        number = self.shards
        writing: deque[asyncio.Task[None]] = deque()
        try:
            while edits := await asyncio.to_thread(next, shards, None):
                number += 1
                if len(writing) == PLANNED_TOGETHER:
                    await writing.popleft()
                writing.append(asyncio.create_task(self._plan(number, edits)))
            while writing:
                await writing.popleft()
        except asyncio.CancelledError:
            for put in writing:
                put.cancel()
            raise
        finally:
            await asyncio.gather(*writing, return_exceptions=True)

    async def _plan(self, shard: int, edits: list[Edit]) -> None:
        await self.folder.plans.add(shard, edits)
        self._written[shard] = tally_of(edits, self.spec)
        while (tally := self._written.pop(self.shards + 1, None)) is not None:
            self._add(tally)
            self.shards += 1
        await self._announce()

    async def _compare(self, manifest: Manifest) -> None:
        """Raise :class:`JobError` unless *manifest* begins with the rows that are planned."""
        unlike = await _first_unlike(self.folder, manifest)
        if unlike is not None:
            raise JobError(
                f"{self.spec.manifest} has changed since this job began, in row {unlike.row} (line "
                f"{unlike.line}), which the job has already processed{_OTHERWISE}"
            )

    def _add(self, tally: Tally) -> None:
        self.rows += tally.rows
        self.cost += tally.cost

    async def _announce(self) -> None:
        """Wake those who are waiting for more shards."""
        async with self._more:
            self._more.notify_all()


#: What to do about a manifest that has changed.
_OTHERWISE = ": restore it, or start a new job with another --out; --reuse reuses what is already paid for"


async def begins_alike(folder: JobFolder, manifest: Manifest) -> bool:
    """Whether *manifest* still begins with the rows planned in *folder*.

    Raises:
        ManifestError: it cannot be read.
    """
    begun = await folder.source()
    if begun is not None and begun == await asyncio.to_thread(manifest.fingerprint):
        return True
    return await _first_unlike(folder, manifest) is None


async def _first_unlike(folder: JobFolder, manifest: Manifest) -> Edit | None:
    """The first row planned in *folder* that is different in *manifest*."""
    edits = manifest.edits()
    async for planned in over_shards(await folder.plans.count(), folder.plans.first):
        unlike = await asyncio.to_thread(_unlike, planned, edits)
        if unlike is not None:
            return unlike
    return None


def _unlike(planned: list[Edit], edits: Iterator[Edit]) -> Edit | None:
    return next((edit for edit in planned if next(edits, None) != edit), None)


def tally_of(edits: list[Edit], spec: Spec) -> Tally:
    """The tally of *edits*; an invalid row costs nothing."""
    prices = (price_of(edit, spec.model, spec.image_size) for edit in edits if not edit.faults)
    return Tally(len(edits), cost_of(prices))


def covers(planned: Planned, asked: Spec) -> bool:
    """Whether everything that *asked* wants is planned; a smaller limit does not undo plans."""
    if planned.limit is None or planned.rows < planned.limit * asked.repeat:
        return True
    return asked.limit is not None and asked.limit <= planned.limit


async def rows_beyond(folder: JobFolder, asked: Spec) -> int:
    """How many rows are already planned in *folder* beyond the limit of *asked*."""
    if asked.limit is None:
        return 0
    planned = await folder.planned()
    rows = planned.rows if planned else await folder.plans.count() * asked.shard_rows
    return max(0, rows - asked.limit * asked.repeat)
