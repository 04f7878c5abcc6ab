"""The files of a job's shards: intents, records and folded shards.

::

    .retouch/shards/<n>/r<round>/  the highest round of a shard is the current one
        plan                       the rows to be settled in it (:mod:`pipeline.job.planfiles`)
        <row>.<n>.intent           before call n of a row: what was tried so far, and what the call may cost
        <row>.<n>.tried            call n of a row was answered, but the row waits or was left: what was tried
        <row>.record               the row is settled
        folded                     the shard is settled: its totals, then all its records, including those of
                                   earlier rounds; replaces the small files

Every put of an intent or a record is create-only, so that of two writers the second loses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable
from typing import TypeVar

import msgspec

from pipeline.failpoints import failpoint
from pipeline.history import History
from pipeline.job.decode import check_whole, decode_file, decode_lines
from pipeline.job.planfiles import PlanFiles
from pipeline.job.roundfiles import RoundFiles, shard_path
from pipeline.job.shard import Folded, Intent, OpenShard, found, totals_of
from pipeline.record import Record
from pipeline.status import Totals
from pipeline.store import Store

T = TypeVar("T")

# Line ends to Unicode and to many programs that read lines, but not to JSON, which does not escape them.
_LINE_ENDS = tuple((mark.encode(), b"\\u%04x" % ord(mark)) for mark in "\x85\u2028\u2029")

_encode = msgspec.json.encode
_records = msgspec.json.Decoder(Record)


class _Gone(Exception):  # noqa: N818 - it is an event, not an error
    """A small file has disappeared, because its shard was folded meanwhile."""


class ShardFiles:
    """The files of one job's shards in a store. Methods raise :class:`pipeline.errors.StoreError`."""

    def __init__(self, store: Store, rounds: RoundFiles, plans: PlanFiles) -> None:
        self._store = store
        self._rounds = rounds
        self._plans = plans

    async def state(self, shard: int) -> OpenShard | Totals:
        """*shard* as it stands: its rows while it is open, its totals once it is folded."""
        folded = await self.folded(shard)
        opened = None if folded else await self.open(shard)
        # If it is neither, it was folded between the two looks.
        return folded or opened or await self.folded(shard) or Totals()

    async def open(self, shard: int) -> OpenShard | None:
        """The rows of *shard* and what is known of them; ``None`` if it is folded. Lists one prefix."""
        try:
            return await self._open(shard)
        except _Gone:
            return None

    async def _open(self, shard: int) -> OpenShard | None:
        # Another round may be opened while this one is being read.
        number = self._rounds.of(shard)
        path = shard_path(shard, number)
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
            edits=await self._plans.in_round(shard, number),
            records=settled,
            intents={intent.row: intent for intent in intents},
            tried=dict(zip(tried, histories, strict=True)),
            earlier=await self._earlier(shard, number),
        )

    async def _earlier(self, shard: int, number: int) -> dict[int, Record]:
        while number > 1:
            number -= 1
            path = f"{shard_path(shard, number)}/folded"
            data = await self._store.get(path)
            if data is not None:
                where = f"{self._store.url}/{path}"
                records = decode_lines(_lines_of(data, where), _records, where)
                return {record.row: record for record in records}
        return {}

    async def put_intent(self, shard: int, intent: Intent) -> bool:
        """Record that call ``intent.n`` of a row is about to be made; false if another process already has."""
        return await self._store.put_new(
            f"{self._rounds.path(shard)}/{intent.row}.{intent.n}.intent", _encode(intent)
        )

    async def put_tried(self, shard: int, row: int, history: History) -> bool:
        """Record that the last call of *history* was answered, for a row that is not settled yet."""
        return await self._store.put_new(
            f"{self._rounds.path(shard)}/{row}.{history.made}.tried", _encode(history)
        )

    async def put_record(self, shard: int, record: Record) -> bool:
        """Settle a row; false if it is settled already."""
        return await self._store.put_new(f"{self._rounds.path(shard)}/{record.row}.record", _encode(record))

    async def fold(self, shard: int, records: Iterable[Record]) -> Totals:
        """Write one file with all *records* of the settled *shard*, and remove the small ones; its totals."""
        ordered = sorted(records, key=lambda record: record.row)
        totals = totals_of(ordered)
        head = Folded(shard=shard, rows=len(ordered), totals=totals)
        lines = [_encode(head), *map(_encode, ordered)]
        # Once it is folded, a new round may be opened, whose files must not be removed.
        path = self._rounds.path(shard)
        await self._store.put_new(f"{path}/folded", b"\n".join(lines) + b"\n")
        failpoint("folded")
        names = await self._store.names(path)
        small = [name for name in names if name.endswith((".record", ".intent", ".tried"))]
        await self._store.delete([f"{path}/{name}" for name in small])
        return totals

    async def folded(self, shard: int) -> Totals | None:
        """The totals of *shard* if it is folded; a small read."""
        head = await self._store.get(f"{self._rounds.path(shard)}/folded", 4096)
        if head is None:
            return None
        where = f"{self._store.url}/{self._rounds.path(shard)}/folded"
        return decode_file(head.partition(b"\n")[0], Folded, where).totals

    async def totals(self, shard: int) -> Totals:
        """The totals of *shard*, folded or not; a call without a known answer counts as unknown."""
        state = await self.state(shard)
        return state if isinstance(state, Totals) else found(state)

    async def settled_lines(self, shard: int) -> bytes:
        """The records of *shard*, one per line, in the manifest's order."""
        lines = await self._settled(shard)
        for mark, escape in _LINE_ENDS:
            lines = lines.replace(mark, escape)
        return lines

    async def _settled(self, shard: int) -> bytes:
        path = f"{self._rounds.path(shard)}/folded"
        data = await self._store.get(path)
        opened = await self.open(shard) if data is None else None
        if opened is None:
            path = f"{self._rounds.path(shard)}/folded"
            data = data or await self._store.get(path) or b""
            return _lines_of(data, f"{self._store.url}/{path}") if data else b""
        records = opened.settled()
        return b"".join(_encode(records[row]) + b"\n" for row in sorted(records))

    async def _read(self, path: str, name: str, shape: type[T]) -> T:
        data = await self._store.get(f"{path}/{name}")
        if data is None:
            raise _Gone
        return decode_file(data, shape, f"{self._store.url}/{path}/{name}")


def _lines_of(folded: bytes, where: str) -> bytes:
    """The records in a folded file, whose first line says how many there are.

    Raises:
        JobError: some of them are missing.
    """
    head, _, lines = folded.partition(b"\n")
    check_whole(lines, decode_file(head, Folded, where).rows, where)
    return lines


def _last_marks(names: Iterable[str], settled: Container[int]) -> dict[int, str]:
    """The file of the last intent or answer of each unsettled row; the answer to a call comes after its intent."""
    last: dict[int, tuple[int, bool, str]] = {}
    for name in names:
        if name.endswith((".intent", ".tried")):
            row, n, kind = name.split(".")
            mark = (int(n), kind == "tried", name)
            if int(row) not in settled:
                last[int(row)] = max(mark, last.get(int(row), mark))
    return {row: mark[2] for row, mark in last.items()}
