"""The job folder: what is where, and what each file means.

::

    job.json                       the frozen specification
    control.json                   what is wanted now (ports.Wanted)
    images/<name>.<ext>            verified pictures
    results.jsonl, results.csv, report.json, report.html, report/
    .retouch/manifest.jsonl        standard input, spooled
    .retouch/source                size and hash of the manifest that the job began with
    .retouch/planned               the manifest is read whole: its size, hash, rows, shards
    .retouch/shards/<n>/r<round>/
        plan                       the rows, one Edit a line
        <row>.<n>.intent           written before call n of a row: what was tried so far, and what may be paid
        <row>.<n>.tried            call n of a row is answered, and the row waits or was left: what was tried
        <row>.record               the row is settled
        folded                     the shard is settled: totals, then its records; the small files are gone

Every put of an intent, a record and a picture is create-only, so that of two writers the second loses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable
from typing import TypeVar

import msgspec

from pipeline.edit import Attempt, Edit, History, Record, Totals, Variant, Verdict
from pipeline.errors import JobError
from pipeline.job.spec import Spec
from pipeline.manifest import Fingerprint
from pipeline.ports import Wanted
from pipeline.store import Bytes, Store, open_store

#: What a verified picture's file may end in, from its bytes; looked for when a picture without a record is adopted.
EXTENSIONS = ("png", "jpg", "webp", "gif", "avif", "heic")

SPOOLED_MANIFEST = ".retouch/manifest.jsonl"
UPLOADED_INPUTS = ".retouch/inputs"

T = TypeVar("T")

_encode = msgspec.json.encode
_edits = msgspec.json.Decoder(Edit)


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is put before a call, so that a crash can be told from a call that never was.

    Attributes:
        history: what was tried before this call; a crash forgets nothing.
        price: dollars that were set aside; ``None``: unknown.
    """

    row: int
    n: int
    variant: Variant
    model: str
    started_at: str
    price: float | None = None
    lane: str = "sync"
    remote: str | None = None
    history: History = History()


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """Says that the manifest is read whole; before this file is there, the job cannot finish.

    *cost_usd* is the estimate for one try of each row; ``None`` where a price is unknown.
    """

    bytes: int
    sha256: str
    rows: int
    shards: int
    cost_usd: float | None
    limit: int | None = None


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a folded shard."""

    shard: int
    rows: int
    totals: Totals


class OpenShard(msgspec.Struct, frozen=True, kw_only=True):
    """A shard as it was found.

    Attributes:
        records: the rows that are settled.
        intents: rows that are not, whose last call has no known answer.
        tried: rows that are not, whose last call is answered.
    """

    number: int
    edits: list[Edit]
    records: dict[int, Record]
    intents: dict[int, Intent]
    tried: dict[int, History]


class JobFolder:
    """One job's folder in a store. Methods raise :class:`pipeline.errors.StoreError`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def at(cls, location: str) -> JobFolder:
        """The folder at *location*, a path or a URL."""
        return cls(open_store(location))

    async def spec(self) -> Spec | None:
        """The specification, ``None`` where there is no job.

        Raises:
            JobError: ``job.json`` is there and is not one of ours.
        """
        data = await self.store.get("job.json")
        if data is None:
            return None
        try:
            return msgspec.json.decode(data, type=Spec)
        except msgspec.DecodeError as error:
            raise JobError(
                f"{self.store.url}/job.json is not a job of retouch: choose another --out"
            ) from error

    async def create(self, spec: Spec) -> bool:
        """Write ``job.json``; false when another got there first.

        Raises:
            JobError: the folder holds something else already.
        """
        if await self.store.names(""):
            await self._refuse_a_stranger()
        return await self.store.put_new("job.json", msgspec.json.format(_encode(spec), indent=2))

    async def _refuse_a_stranger(self) -> None:
        ours = {".retouch", "job.json"}
        others = [name for name in await self.store.names("") if name not in ours]
        if others and await self.store.get("job.json", 1) is None:
            raise JobError(
                f"{self.store.url} holds other files ({others[0]}, …) and no job of retouch: "
                "choose an empty or a new folder with --out"
            )

    async def wanted(self) -> Wanted:
        """What is wanted of the job now."""
        data = await self.store.get("control.json")
        return Wanted() if data is None else msgspec.json.decode(data, type=Wanted)

    async def want(self, wanted: Wanted) -> None:
        """Say what is wanted of the job now."""
        await self.store.put("control.json", _encode(wanted))

    async def source(self) -> Fingerprint | None:
        """The manifest that the job began with."""
        data = await self.store.get(".retouch/source")
        return None if data is None else msgspec.json.decode(data, type=Fingerprint)

    async def begin_plan(self, source: Fingerprint) -> None:
        """Say which manifest the plans are made from."""
        await self.store.put_new(".retouch/source", _encode(source))

    async def planned(self) -> Planned | None:
        """What the whole manifest came to; ``None`` while it has not been read whole."""
        data = await self.store.get(".retouch/planned")
        return None if data is None else msgspec.json.decode(data, type=Planned)

    async def finish_plan(self, planned: Planned) -> None:
        """Say that every row is planned."""
        await self.store.put(".retouch/planned", _encode(planned))

    async def add_plan(self, shard: int, edits: Iterable[Edit]) -> None:
        """Write the rows of *shard*; one that is there already stays."""
        await self.store.put_new(f"{_shard(shard)}/plan", b"\n".join(map(_encode, edits)))

    async def shards_planned(self) -> int:
        """How many shards have a plan, without a gap from the first."""
        names = await self.store.names(".retouch/shards")
        numbers = sorted(int(name) for name in names if name.isdecimal())
        whole = 0
        while whole < len(numbers) and numbers[whole] == whole + 1:
            whole += 1
        # The folder of the last may have been made without its plan being put.
        while whole and await self.store.get(f"{_shard(whole)}/plan", 1) is None:
            whole -= 1
        return whole

    async def plan(self, shard: int) -> list[Edit]:
        """The rows of *shard*."""
        data = await self.store.get(f"{_shard(shard)}/plan")
        if data is None:
            raise JobError(
                f"{self.store.url}: the plan of shard {shard} is gone; start the job anew in a new folder"
            )
        return _edits.decode_lines(data)

    async def open_shard(self, shard: int) -> OpenShard | None:
        """*shard* as it stands; ``None`` when it is folded. Lists one prefix, reads only what is not folded."""
        names = await self.store.names(_shard(shard))
        if "folded" in names:
            return None
        records = await asyncio.gather(
            *(self._read(shard, name, Record) for name in names if name.endswith(".record"))
        )
        settled = {record.row: record for record in records}
        last = _last_marks(names, settled)
        intents = await asyncio.gather(
            *(self._read(shard, name, Intent) for name in last.values() if name.endswith(".intent"))
        )
        tried = {row: name for row, name in last.items() if name.endswith(".tried")}
        histories = await asyncio.gather(*(self._read(shard, name, History) for name in tried.values()))
        return OpenShard(
            number=shard,
            edits=await self.plan(shard),
            records=settled,
            intents={intent.row: intent for intent in intents},
            tried=dict(zip(tried, histories, strict=True)),
        )

    async def put_intent(self, shard: int, intent: Intent) -> bool:
        """Say that call ``intent.n`` of a row is about to be made; false when another has said so already."""
        return await self.store.put_new(f"{_shard(shard)}/{intent.row}.{intent.n}.intent", _encode(intent))

    async def put_tried(self, shard: int, row: int, history: History) -> bool:
        """Say that the last call of *history* is answered, for a row that is not settled yet."""
        return await self.store.put_new(f"{_shard(shard)}/{row}.{history.made}.tried", _encode(history))

    async def put_record(self, shard: int, record: Record) -> bool:
        """Settle a row; false when it is settled already."""
        return await self.store.put_new(f"{_shard(shard)}/{record.row}.record", _encode(record))

    async def put_picture(self, name: str, extension: str, data: Bytes) -> str | None:
        """Store a verified picture; its path, or ``None`` when one of that name is there already."""
        path = f"images/{name}.{extension}"
        return path if await self.store.put_new(path, data) else None

    async def find_picture(self, name: str) -> str | None:
        """The path of the picture *name*, whatever its extension."""
        for extension in EXTENSIONS:
            path = f"images/{name}.{extension}"
            if await self.store.get(path, 1) is not None:
                return path
        return None

    async def fold(self, shard: int, records: Iterable[Record]) -> Totals:
        """Make one file of the settled *shard* and drop its small ones; its totals."""
        ordered = sorted(records, key=lambda record: record.row)
        totals = totals_of(ordered)
        head = Folded(shard=shard, rows=len(ordered), totals=totals)
        lines = [_encode(head), *map(_encode, ordered)]
        await self.store.put_new(f"{_shard(shard)}/folded", b"\n".join(lines) + b"\n")
        names = await self.store.names(_shard(shard))
        small = [
            f"{_shard(shard)}/{name}" for name in names if name.endswith((".record", ".intent", ".tried"))
        ]
        await self.store.delete(small)
        return totals

    async def folded(self, shard: int) -> Totals | None:
        """The totals of *shard* if it is folded; a small read."""
        head = await self.store.get(f"{_shard(shard)}/folded", 4096)
        if head is None:
            return None
        return msgspec.json.decode(head.partition(b"\n")[0], type=Folded).totals

    async def totals(self, shard: int) -> Totals:
        """The sums over what is known of *shard*, folded or not; a call without a known answer is unknown."""
        folded = await self.folded(shard)
        opened = None if folded else await self.open_shard(shard)
        return folded or (found(opened) if opened else await self.folded(shard) or Totals())

    async def settled_lines(self, shard: int) -> bytes:
        """The records of *shard* that are there, a line each, in the manifest's order."""
        data = await self.store.get(f"{_shard(shard)}/folded")
        if data is not None:
            return data.partition(b"\n")[2]
        opened = await self.open_shard(shard)
        if opened is None:
            return (await self.store.get(f"{_shard(shard)}/folded") or b"").partition(b"\n")[2]
        rows = sorted(opened.records)
        return b"".join(_encode(opened.records[row]) + b"\n" for row in rows)

    async def _read(self, shard: int, name: str, shape: type[T]) -> T:
        return msgspec.json.decode(await self.store.get(f"{_shard(shard)}/{name}") or b"", type=shape)


def totals_of(records: Iterable[Record]) -> Totals:
    """The sums over *records*."""
    outcomes: dict[str, int] = {}
    verdicts: dict[str, int] = {}
    calls = unknown = 0
    cost = 0.0
    for record in records:
        outcomes[record.outcome] = outcomes.get(record.outcome, 0) + 1
        cost += record.cost_usd or 0.0
        calls += record.calls
        unknown += record.calls_unknown
        for attempt in record.attempts:
            verdicts[attempt.verdict] = verdicts.get(attempt.verdict, 0) + 1
    return Totals(outcomes=outcomes, verdicts=verdicts, calls=calls, calls_unknown=unknown, cost_usd=cost)


def found(opened: OpenShard) -> Totals:
    """What an earlier process has left in a shard that is not folded: its records, the calls of the other rows."""
    totals = totals_of(opened.records.values())
    for history in [*map(interrupted, opened.intents.values()), *opened.tried.values()]:
        verdicts: dict[str, int] = {}
        for attempt in history.attempts:
            verdicts[attempt.verdict] = verdicts.get(attempt.verdict, 0) + 1
        totals += Totals(
            verdicts=verdicts,
            calls=history.calls,
            calls_unknown=history.calls_unknown,
            cost_usd=history.cost_usd or 0.0,
        )
    return totals


def interrupted(intent: Intent) -> History:
    """The history of a row whose last call has no known answer."""
    return intent.history.after(
        Attempt(
            n=intent.n,
            started_at=intent.started_at,
            seconds=0.0,
            verdict=Verdict.INTERRUPTED,
            counted=False,
            prompt_variant=intent.variant,
            unknown=True,
            detail="the process ended before the answer was recorded",
        )
    )


def adopted(intent: Intent, *, usable: bool) -> History:
    """The history of a row whose last call has no known answer, but a picture that was found stored."""
    return intent.history.after(
        Attempt(
            n=intent.n,
            started_at=intent.started_at,
            seconds=0.0,
            verdict=Verdict.IMAGE if usable else Verdict.BAD_IMAGE,
            counted=True,
            prompt_variant=intent.variant,
            detail="its picture was found stored",
        )
    )


def _shard(number: int) -> str:
    return f".retouch/shards/{number:06d}/r1"


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
