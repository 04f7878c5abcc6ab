"""From a manifest to plans: read in a thread, a shard at a time, while the first shards are already called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pipeline.edit import Edit
from pipeline.errors import JobError
from pipeline.job.folder import JobFolder, Planned
from pipeline.job.spec import Spec
from pipeline.manifest import Manifest
from pipeline.manifest.shards import cut
from pipeline.price import estimate


class Planner:
    """Writes the plan of each shard of a job; goes on after the last whole shard of an earlier process.

    Without a *manifest* it takes what is planned already.

    Attributes:
        shards: how many shards have a plan.
        planned: what the whole manifest came to, once it is read.
    """

    def __init__(self, folder: JobFolder, manifest: Manifest | None, spec: Spec) -> None:
        self.folder = folder
        self.manifest = manifest
        self.spec = spec
        self.shards = 0
        self.planned: Planned | None = None
        self._more = asyncio.Condition()
        self._ended = False

    async def read(self) -> Planned:
        """Read the manifest to its end, or to the job's limit.

        Raises:
            JobError: the manifest is not the one that the job began with.
            ManifestError: it cannot be read.
        """
        try:
            await self._read()
        finally:
            async with self._more:
                self._ended = True
                self._more.notify_all()
        assert self.planned is not None  # noqa: S101 - _read() has set it
        return self.planned

    async def numbers(self) -> AsyncIterator[int]:
        """The shards of the job in order, each as soon as it is planned."""
        number = 0
        while True:
            async with self._more:
                while self.shards <= number and not self._ended:
                    await self._more.wait()
            if self.shards <= number:
                return
            number += 1
            yield number

    async def _read(self) -> None:
        there = await self.folder.planned()
        if self.manifest is None:
            if there is None:
                raise JobError(
                    f"{self.spec.out}: its manifest was never read to its end, and is not there now"
                )
            await self._progress(there.shards)
            self.planned = there
            return
        found = await asyncio.to_thread(self.manifest.fingerprint)
        begun = await self.folder.source()
        if begun is not None and begun.sha256 != found.sha256:
            raise JobError(
                f"{self.spec.manifest} has changed since this job began: start a new job with another --out, "
                "or put the manifest back as it was"
            )
        if begun is None:
            await self.folder.begin_plan(found)
        if there is not None and covers(there, self.spec):
            await self._progress(there.shards)
            self.planned = there
            return
        sums = await self._write(self.manifest, await self.folder.shards_planned())
        self.planned = Planned(
            bytes=found.bytes,
            sha256=found.sha256,
            rows=sums.rows,
            shards=self.shards,
            cost_usd=sums.cost_usd,
            limit=self.spec.limit,
        )
        await self.folder.finish_plan(self.planned)

    async def _write(self, manifest: Manifest, whole: int) -> _Sums:
        sums = _Sums(self.spec)
        for shard in range(1, whole + 1):
            sums.add(await self.folder.plan(shard))
        await self._progress(whole)
        shards = cut(manifest.edits(after=sums.rows), self.spec.shard_rows)
        while edits := await asyncio.to_thread(next, shards, None):
            await self.folder.add_plan(self.shards + 1, edits)
            sums.add(edits)
            await self._progress(self.shards + 1)
        return sums

    async def _progress(self, shards: int) -> None:
        async with self._more:
            self.shards = shards
            self._more.notify_all()


class _Sums:
    """Rows and their price; the price is unknown as soon as that of one row is."""

    def __init__(self, spec: Spec) -> None:
        self.rows = 0
        self.cost_usd: float | None = 0.0
        self._spec = spec

    def add(self, edits: list[Edit]) -> None:
        self.rows += len(edits)
        for edit in edits:
            price = 0.0 if edit.faults else price_of(edit, self._spec)
            self.cost_usd = None if price is None or self.cost_usd is None else self.cost_usd + price


def price_of(edit: Edit, spec: Spec) -> float | None:
    """The estimated dollars of one try of *edit*; ``None`` where the model's price is unknown."""
    size = edit.image_size or spec.image_size
    return estimate(edit.model or spec.model, size, len(edit.images), len(edit.prompt))


def covers(planned: Planned, asked: Spec) -> bool:
    """Whether what is planned is all that *asked* wants; a smaller limit takes nothing back."""
    if planned.limit is None or planned.rows < planned.limit * asked.repeat:
        return True
    return asked.limit is not None and asked.limit <= planned.limit
