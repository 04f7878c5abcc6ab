"""The plans of a job's shards: ``.retouch/shards/<n>/r<round>/plan`` holds the rows of a round, one Edit a line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from pipeline.edit import Edit
from pipeline.errors import JobError
from pipeline.failpoints import PLAN_STEP, failpoint
from pipeline.job.decode import decode_lines
from pipeline.job.roundfiles import SHARDS, RoundFiles, shard_path
from pipeline.store import Store

#: Plans that are written at the same time, at most. So far below the highest shard a crash may have left gaps: a
#: smaller number would not find those of an earlier version.
PLANNED_TOGETHER = 32

_PLAN = "plan"

_edits = msgspec.json.Decoder(Edit)


class PlanFiles:
    """The plans of one job. Methods raise :class:`pipeline.errors.StoreError`."""

    def __init__(self, store: Store, rounds: RoundFiles) -> None:
        self._store = store
        self._rounds = rounds

    async def add(self, shard: int, edits: Iterable[Edit]) -> None:
        """Write the rows of *shard*, when all but the last :data:`PLANNED_TOGETHER` before it are written.

        Raises:
            JobError: other rows are planned for it.
        """
        path, plan = _path(shard, 1), _encoded(edits)
        if not await self._store.put_new(path, plan, private=True) and await self._store.get(path) != plan:
            raise JobError(
                f"{self._store.url}: another process has planned shard {shard} with other rows; make sure that only "
                "one works on this job, and run the same command again"
            )
        failpoint(PLAN_STEP)

    async def add_to_round(self, number: int, plans: dict[int, list[Edit]]) -> None:
        """Write the rows, by shard, that are to be settled again in round *number*, which is opened afterwards."""
        for shard, edits in plans.items():
            await self._store.put(_path(shard, number), _encoded(edits), private=True)

    async def count(self) -> int:
        """How many shards have a plan, without a gap from the first."""
        numbers = await self._numbers()
        whole = 0
        while whole < len(numbers) and numbers[whole] == whole + 1:
            whole += 1
        # Folders of the last may have been made without their plans being put.
        last = range(max(1, numbers[-1] - PLANNED_TOGETHER + 1), whole + 1) if numbers else range(0)
        heads = await asyncio.gather(*(self._store.get(_path(shard, 1), 1) for shard in last))
        return next((shard - 1 for shard, head in zip(last, heads, strict=True) if head is None), whole)

    async def drop_after(self, whole: int) -> None:
        """Remove the plans of all shards but the first *whole*: a crash has left them behind a gap.

        They may be of another version of the manifest, and nobody has worked on them.

        Raises:
            JobError: somebody has, so that the gap is a loss.
        """
        behind = [shard for shard in await self._numbers() if shard > whole]
        if any(await asyncio.gather(*map(self.begun, behind))):
            raise self._gone(whole + 1)
        await self._store.delete([_path(shard, 1) for shard in behind], durable=True)

    async def begun(self, shard: int) -> bool:
        """Whether *shard* is not as it was planned any more; a list of names, and no read."""
        if self._rounds.of(shard) > 1:
            return True
        return any(name != _PLAN for name in await self._store.names(shard_path(shard, 1)))

    async def of(self, shard: int) -> list[Edit]:
        """The rows of *shard* in the round that holds."""
        return await self.in_round(shard, self._rounds.of(shard))

    async def first(self, shard: int) -> list[Edit]:
        """The rows of *shard* as they were planned from the manifest, whatever was retried since."""
        return await self.in_round(shard, 1)

    async def in_round(self, shard: int, number: int) -> list[Edit]:
        """The rows of *shard* that are settled in round *number*.

        Raises:
            JobError: the plan is gone.
        """
        edits = await self._read(shard, number)
        if edits is None:
            raise self._gone(shard)
        return edits

    async def newest(self, shard: int) -> list[Edit]:
        """All rows of *shard*, each as the newest round that it was part of has it."""
        newest: dict[int, Edit] = {}
        for number in range(1, self._rounds.of(shard) + 1):
            newest |= {edit.row: edit for edit in await self._read(shard, number) or ()}
        return [newest[row] for row in sorted(newest)]

    async def _read(self, shard: int, number: int) -> list[Edit] | None:
        path = _path(shard, number)
        data = await self._store.get(path)
        return None if data is None else decode_lines(data, _edits, f"{self._store.url}/{path}")

    async def _numbers(self) -> list[int]:
        return sorted(int(name) for name in await self._store.names(SHARDS) if name.isdecimal())

    def _gone(self, shard: int) -> JobError:
        return JobError(
            f"{self._store.url}: the plan of shard {shard} is gone; start the job again in a new folder"
        )


def _path(shard: int, number: int) -> str:
    return f"{shard_path(shard, number)}/{_PLAN}"


def _encoded(edits: Iterable[Edit]) -> bytes:
    return b"\n".join(map(msgspec.json.encode, edits))
