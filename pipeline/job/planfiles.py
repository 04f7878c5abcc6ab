"""The plans of a job's shards: ``.retouch/shards/<n>/r<round>/plan`` has the rows of a round, one Edit per line."""

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

#: Plans that are written at a time, at most. A crash may leave gaps that far below the highest shard, so a smaller
#: number would miss gaps that an earlier version has left.
PLANNED_TOGETHER = 32

_PLAN = "plan"

_edits = msgspec.json.Decoder(Edit)


class PlanFiles:
    """The plans of one job. Methods raise :class:`pipeline.errors.StoreError`."""

    def __init__(self, store: Store, rounds: RoundFiles) -> None:
        self._store = store
        self._rounds = rounds

    async def add(self, shard: int, edits: Iterable[Edit]) -> None:
        """Write the rows of *shard*; of those before it, at most :data:`PLANNED_TOGETHER` may still be missing.

        Raises:
            JobError: it already has a plan with other rows.
        """
        path, plan = _path(shard, 1), _encoded(edits)
        if not await self._store.put_new(path, plan, private=True) and await self._store.get(path) != plan:
            raise JobError(
                f"{self._store.url}: another process has planned shard {shard} with other rows; make sure that only "
                "one works on this job, and run the same command again"
            )
        failpoint(PLAN_STEP)

    async def add_to_round(self, number: int, plans: dict[int, list[Edit]]) -> None:
        """Write the rows, by shard, that are to be settled again in round *number*; open the round afterwards."""
        for shard, edits in plans.items():
            await self._store.put(_path(shard, number), _encoded(edits), private=True)

    async def count(self) -> int:
        """How many shards have a plan, from the first up to the first gap."""
        numbers = await self._numbers()
        whole = 0
        while whole < len(numbers) and numbers[whole] == whole + 1:
            whole += 1
        # The last of them may be folders without a plan.
        last = range(max(1, numbers[-1] - PLANNED_TOGETHER + 1), whole + 1) if numbers else range(0)
        # Listed and not read: who may only look at the job may not read its plans.
        files = await asyncio.gather(*(self._store.names(shard_path(shard, 1)) for shard in last))
        return next(
            (shard - 1 for shard, names in zip(last, files, strict=True) if _PLAN not in names), whole
        )

    async def drop_after(self, whole: int) -> None:
        """Remove the plans of all shards after the first *whole*: a crash has left a gap before them.

        They may belong to another version of the manifest, and nobody has worked on them yet.

        Raises:
            JobError: somebody has, so a plan was lost.
        """
        behind = [shard for shard in await self._numbers() if shard > whole]
        if any(await asyncio.gather(*map(self.begun, behind))):
            raise self._gone(whole + 1)
        await self._store.delete([_path(shard, 1) for shard in behind], durable=True)

    async def begun(self, shard: int) -> bool:
        """Whether any work was done on *shard*; takes one listing and no read."""
        if self._rounds.of(shard) > 1:
            return True
        return any(name != _PLAN for name in await self._store.names(shard_path(shard, 1)))

    async def of(self, shard: int) -> list[Edit]:
        """The rows of *shard* in its current round."""
        return await self.in_round(shard, self._rounds.of(shard))

    async def first(self, shard: int) -> list[Edit]:
        """The rows of *shard* as planned from the manifest, without any changes by retries."""
        return await self.in_round(shard, 1)

    async def in_round(self, shard: int, number: int) -> list[Edit]:
        """The rows of *shard* in round *number*.

        Raises:
            JobError: the plan is missing.
        """
        edits = await self._read(shard, number)
        if edits is None:
            raise self._gone(shard)
        return edits

    async def newest(self, shard: int) -> list[Edit]:
        """All rows of *shard*, each as in the newest round that includes it."""
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
