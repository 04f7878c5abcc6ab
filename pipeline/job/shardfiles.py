"""The files of a job's shards: plans, intents, records, folds; and the rounds in which rows are settled again.

::

    .retouch/rounds/<r>            which shards have a round r: `retry` opened it
    .retouch/shards/<n>/r<round>/  the highest round of a shard holds
        plan                       the rows to be settled in it, one Edit a line
        <row>.<n>.intent           written before call n of a row: what was tried so far, and what may be paid
        <row>.<n>.tried            call n of a row is answered, and the row waits or was left: what was tried
        <row>.record               the row is settled
        folded                     the shard is settled: totals, then all its records, those of earlier rounds
                                   too; the small files are gone

Every put of an intent and a record is create-only, so that of two writers the second loses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable
from typing import TypeVar

import msgspec

from pipeline.edit import Edit
from pipeline.errors import JobError
from pipeline.failpoints import PLAN_STEP, failpoint
from pipeline.history import History
from pipeline.job.decode import decode_file, decode_lines
from pipeline.job.shard import Folded, Intent, OpenShard, Round, found, totals_of
from pipeline.record import Record
from pipeline.status import Totals
from pipeline.store import Store

#: Plans that are written at the same time, at most. So far below the highest shard a crash may have left gaps: a
#: smaller number would not find those of an earlier version.
PLANNED_TOGETHER = 32

T = TypeVar("T")

# Ends of a line to Unicode and to many readers of lines, but not to JSON, which leaves them as they are.
_LINE_ENDS = tuple((mark.encode(), b"\\u%04x" % ord(mark)) for mark in "\x85\u2028\u2029")

_encode = msgspec.json.encode
_edits = msgspec.json.Decoder(Edit)
_records = msgspec.json.Decoder(Record)


class _Gone(Exception):  # noqa: N818 - it is an event, not an error
    """A small file is not there any more: its shard was folded meanwhile."""


class ShardFiles:
    """The files of one job's shards in a store. Methods raise :class:`pipeline.errors.StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rounds: dict[int, int] = {}
        self._known_rounds: set[str] = set()

    async def add_plan(self, shard: int, edits: Iterable[Edit]) -> None:
        """Write the rows of *shard*, when all but the last :data:`PLANNED_TOGETHER` before it are written.

        Raises:
            JobError: other rows are planned for it.
        """
        path, plan = f"{_shard(shard)}/r1/plan", b"\n".join(map(_encode, edits))
        if not await self._store.put_new(path, plan) and await self._store.get(path) != plan:
            raise JobError(
                f"{self._store.url}: another process has planned shard {shard} with other rows; see that one alone "
                "works on this job, and run the same command again"
            )
        failpoint(PLAN_STEP)

    async def planned(self) -> int:
        """How many shards have a plan, without a gap from the first."""
        numbers = await self._there()
        whole = 0
        while whole < len(numbers) and numbers[whole] == whole + 1:
            whole += 1
        # Folders of the last may have been made without their plans being put.
        last = range(max(1, numbers[-1] - PLANNED_TOGETHER + 1), whole + 1) if numbers else range(0)
        heads = await asyncio.gather(*(self._store.get(f"{_shard(shard)}/r1/plan", 1) for shard in last))
        return next((shard - 1 for shard, head in zip(last, heads, strict=True) if head is None), whole)

    async def drop_plans(self, whole: int) -> None:
        """Remove the plans of all shards but the first *whole*: a crash has left them behind a gap.

        They may be of another version of the manifest, and nobody has worked on them.

        Raises:
            JobError: somebody has, so that the gap is a loss.
        """
        behind = [shard for shard in await self._there() if shard > whole]
        if any(await asyncio.gather(*map(self.begun, behind))):
            raise self._no_plan(whole + 1)
        await self._store.delete([f"{_shard(shard)}/r1/plan" for shard in behind], durable=True)

    async def _there(self) -> list[int]:
        names = await self._store.names(".retouch/shards")
        return sorted(int(name) for name in names if name.isdecimal())

    async def plan(self, shard: int) -> list[Edit]:
        """The rows of *shard*."""
        return await self._plan(shard, self._rounds.get(shard, 1))

    async def first_plan(self, shard: int) -> list[Edit]:
        """The rows of *shard* as they were planned from the manifest, whatever was retried since."""
        return await self._plan(shard, 1)

    async def _plan(self, shard: int, number: int) -> list[Edit]:
        path = f"{_shard(shard)}/r{number}/plan"
        data = await self._store.get(path)
        if data is None:
            raise self._no_plan(shard)
        return decode_lines(data, _edits, f"{self._store.url}/{path}")

    def _no_plan(self, shard: int) -> JobError:
        return JobError(
            f"{self._store.url}: the plan of shard {shard} is gone; start the job anew in a new folder"
        )

    async def edits_of(self, shard: int) -> list[Edit]:
        """All rows of *shard*, each as the newest round that it was part of has it."""
        newest: dict[int, Edit] = {}
        for number in range(1, self._rounds.get(shard, 1) + 1):
            path = f"{_shard(shard)}/r{number}/plan"
            edits = decode_lines(await self._store.get(path) or b"", _edits, f"{self._store.url}/{path}")
            newest |= {edit.row: edit for edit in edits}
        return [newest[row] for row in sorted(newest)]

    async def look_for_rounds(self) -> int:
        """Take note of rounds that were opened meanwhile; the number of the newest."""
        for name in await self._store.names(".retouch/rounds"):
            if name not in self._known_rounds:
                data = await self._store.get(f".retouch/rounds/{name}")
                opened = decode_file(data or b"", Round, f"{self._store.url}/.retouch/rounds/{name}")
                for shard in opened.shards:
                    self._rounds[shard] = max(opened.number, self._rounds.get(shard, 1))
                self._known_rounds.add(name)
        return max(map(int, self._known_rounds), default=1)

    async def open_round(self, number: int, plans: dict[int, list[Edit]], now: str) -> bool:
        """Have the rows of *plans*, by shard, settled again; false when another opened this round first."""
        for shard, edits in plans.items():
            path = f"{_shard(shard)}/r{number}/plan"
            await self._store.put(path, b"\n".join(map(_encode, edits)))
        entry = Round(number=number, shards=sorted(plans), opened_at=now)
        opened = await self._store.put_new(f".retouch/rounds/{number}", _encode(entry))
        await self.look_for_rounds()
        return opened

    async def open(self, shard: int) -> OpenShard | None:
        """*shard* as it stands; ``None`` when it is folded. Lists one prefix, reads only what is not folded."""
        try:
            return await self._open(shard)
        except _Gone:
            return None

    async def _open(self, shard: int) -> OpenShard | None:
        # A round may be opened while this one is read.
        path, number = self._path(shard), self._rounds.get(shard, 1)
        names = await self._store.names(path)
        if "folded" in names:
            return None
        records = await asyncio.gather(
            *(self._read(path, name, Record) for name in names if name.endswith(".record"))
        )
        settled = {record.row: record for record in records}
        last = _last_marks(names, settled)
        intents = await asyncio.gather(
            *(self._read(path, name, Intent) for name in last.values() if name.endswith(".intent"))
        )
        tried = {row: name for row, name in last.items() if name.endswith(".tried")}
        histories = await asyncio.gather(*(self._read(path, name, History) for name in tried.values()))
        return OpenShard(
            number=shard,
            edits=await self._plan(shard, number),
            records=settled,
            intents={intent.row: intent for intent in intents},
            tried=dict(zip(tried, histories, strict=True)),
            earlier=await self._earlier(shard, number),
        )

    async def _earlier(self, shard: int, number: int) -> dict[int, Record]:
        while number > 1:
            number -= 1
            path = f"{_shard(shard)}/r{number}/folded"
            data = await self._store.get(path)
            if data is not None:
                records = decode_lines(data.partition(b"\n")[2], _records, f"{self._store.url}/{path}")
                return {record.row: record for record in records}
        return {}

    async def put_intent(self, shard: int, intent: Intent) -> bool:
        """Say that call ``intent.n`` of a row is about to be made; false when another has said so already."""
        return await self._store.put_new(
            f"{self._path(shard)}/{intent.row}.{intent.n}.intent", _encode(intent)
        )

    async def put_tried(self, shard: int, row: int, history: History) -> bool:
        """Say that the last call of *history* is answered, for a row that is not settled yet."""
        return await self._store.put_new(f"{self._path(shard)}/{row}.{history.made}.tried", _encode(history))

    async def put_record(self, shard: int, record: Record) -> bool:
        """Settle a row; false when it is settled already."""
        return await self._store.put_new(f"{self._path(shard)}/{record.row}.record", _encode(record))

    async def fold(self, shard: int, records: Iterable[Record]) -> Totals:
        """Make one file of the settled *shard*, all its *records*, and drop its small ones; its totals."""
        ordered = sorted(records, key=lambda record: record.row)
        totals = totals_of(ordered)
        head = Folded(shard=shard, rows=len(ordered), totals=totals)
        lines = [_encode(head), *map(_encode, ordered)]
        # As soon as it is folded a round may be opened, of which nothing is to be dropped.
        path = self._path(shard)
        await self._store.put_new(f"{path}/folded", b"\n".join(lines) + b"\n")
        failpoint("folded")
        names = await self._store.names(path)
        small = [name for name in names if name.endswith((".record", ".intent", ".tried"))]
        await self._store.delete([f"{path}/{name}" for name in small])
        return totals

    async def folded(self, shard: int) -> Totals | None:
        """The totals of *shard* if it is folded; a small read."""
        head = await self._store.get(f"{self._path(shard)}/folded", 4096)
        if head is None:
            return None
        where = f"{self._store.url}/{self._path(shard)}/folded"
        return decode_file(head.partition(b"\n")[0], Folded, where).totals

    async def begun(self, shard: int) -> bool:
        """Whether *shard* is not as it was planned any more; a list of names, and no read."""
        if self._rounds.get(shard, 1) > 1:
            return True
        return any(name != "plan" for name in await self._store.names(self._path(shard)))

    async def totals(self, shard: int) -> Totals:
        """The sums over what is known of *shard*, folded or not; a call without a known answer is unknown."""
        folded = await self.folded(shard)
        opened = None if folded else await self.open(shard)
        return folded or (found(opened) if opened else await self.folded(shard) or Totals())

    async def settled_lines(self, shard: int) -> bytes:
        """The records of *shard* that are there, a line each, in the manifest's order."""
        lines = await self._settled(shard)
        for mark, escape in _LINE_ENDS:
            lines = lines.replace(mark, escape)
        return lines

    async def _settled(self, shard: int) -> bytes:
        data = await self._store.get(f"{self._path(shard)}/folded")
        opened = await self.open(shard) if data is None else None
        if opened is None:
            data = data or await self._store.get(f"{self._path(shard)}/folded") or b""
            return data.partition(b"\n")[2]
        records = opened.settled()
        return b"".join(_encode(records[row]) + b"\n" for row in sorted(records))

    def _path(self, shard: int) -> str:
        return f"{_shard(shard)}/r{self._rounds.get(shard, 1)}"

    async def _read(self, path: str, name: str, shape: type[T]) -> T:
        data = await self._store.get(f"{path}/{name}")
        if data is None:
            raise _Gone
        return decode_file(data, shape, f"{self._store.url}/{path}/{name}")


def _shard(number: int) -> str:
    return f".retouch/shards/{number:06d}"


def _last_marks(names: Iterable[str], settled: Container[int]) -> dict[int, str]:
    """The last intent or answer of each row that is not settled; of one call the answer is the later."""
    last: dict[int, tuple[int, bool, str]] = {}
    for name in names:
        if name.endswith((".intent", ".tried")):
            row, n, kind = name.split(".")
            mark = (int(n), kind == "tried", name)
            if int(row) not in settled:
                last[int(row)] = max(mark, last.get(int(row), mark))
    return {row: mark[2] for row, mark in last.items()}
