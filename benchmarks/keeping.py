"""What it costs that nothing is lost or paid for twice: leases, intents and fingerprints, apart from calls."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result
from benchmarks.stage import Stage
from pipeline.attempt import Variant
from pipeline.job.folder import JobFolder
from pipeline.job.shard import Intent
from pipeline.job.spec import SHARD_ROWS
from pipeline.picture import prepare
from pipeline.ports import Wanted
from pipeline.reuse import fingerprint
from pipeline.status import Totals
from pipeline.timestamp import utc
from workers.shared.board import Board, worker_name
from workers.shared.board_types import Placement, ShardReport, WorkerCard
from workers.shared.connection import connect
from workers.shared.lease import RedisLease

ABOUT = (
    "CPU of the process that works, without calls, pictures stored and records, which a job has in any case. Leases: "
    "each shard of 50 rows is claimed, begun, renewed twice and handed over on an embedded Redis-compatible server, "
    "and its lease is asked four times for each row. Intents: one put and synced for each row on a disk of this "
    "machine, 64 at once, and dropped with its shard. Fingerprints: the bytes of a picture of a megabyte are "
    "hashed, and then what makes the edit."
)
#: As long as a lease that users have; puts at once, as many as slots.
_LEASE, _TOGETHER = 10.0, 64
_JOB, _MODEL = "keeping", "gemini-nano-banana-2.1"


def keeping(stage: Stage) -> Result:
    """CPU a row of leases, intents and fingerprints."""
    result = Result("keeping", ABOUT)
    rows = stage.sizes.kept_rows
    parts = {
        "leases": lambda: asyncio.run(_leases(stage, rows // SHARD_ROWS)),
        "intents": lambda: asyncio.run(_intents(stage, rows // SHARD_ROWS)),
        "fingerprints": lambda: _fingerprints(stage, rows),
    }
    rounds = {name: [_each(part, rows) for _ in range(stage.sizes.rounds)] for name, part in parts.items()}
    for name, figures in rounds.items():
        result.figures.append(Figure(f"{name}: CPU a row", tuple(figures), "ms"))
    sums = tuple(map(sum, zip(*rounds.values(), strict=True)))
    note = f"{rows:,} rows, {statistics.median(sums) * rows / 1000:.0f} s in all"
    result.figures.append(Figure("all three: CPU a row", sums, "ms", Bound(1.5), note))
    return result


def _each(part: Callable[[], float], rows: int) -> float:
    """Milliseconds of CPU a row."""
    return 1000 * part() / rows


async def _cpu(work: Callable[[], Awaitable[None]]) -> float:
    """Seconds of this process's CPU, of all its threads, that *work* takes."""
    before = time.process_time()
    await work()
    return time.process_time() - before


async def _leases(stage: Stage, shards: int) -> float:
    with stage.valkey() as url:
        redis = connect(url)
        board = Board(redis, worker_name())
        try:
            place = Placement(out=str(stage.folder), rows=shards * SHARD_ROWS, shards=shards, wanted=Wanted())
            await board.open(_JOB, place, {}, {})

            async def work() -> None:
                for shard in range(1, shards + 1):
                    await _lease(board, shard)

            return await _cpu(work)
        finally:
            await redis.aclose()


async def _lease(board: Board, shard: int) -> None:
    sent = time.monotonic()
    claim = await board.claim(_JOB, shard, _LEASE)
    if claim is None:
        raise BenchmarkError(f"shard {shard} is not to be had")
    await board.begin(_JOB, shard, claim.token)
    lease = RedisLease(claim.token, _LEASE, sent)
    for settled in (SHARD_ROWS // 2, SHARD_ROWS):
        held = ShardReport(_JOB, shard, claim.token, Totals(outcomes={"done": settled}, calls=settled))
        await board.beat(_LEASE, WorkerCard(threads=4, slots=_TOGETHER), [held], {_JOB: ""})
        lease.renewed(time.monotonic())
    # Before the call, after its intent, before the picture is put and before the record is.
    if not all(lease.held() for _ in range(4 * SHARD_ROWS)):
        raise BenchmarkError("a lease ran out: measure on a machine that is idle")
    await board.fold(_JOB, shard, claim.token, Totals(outcomes={"done": SHARD_ROWS}, calls=SHARD_ROWS))


async def _intents(stage: Stage, shards: int) -> float:
    with stage.out() as out:
        folder = JobFolder.at(str(out))
        together = asyncio.Semaphore(_TOGETHER)

        async def put(shard: int, row: int) -> None:
            intent = Intent(
                row=row, n=1, variant=Variant.PLAIN, model=_MODEL, started_at=utc(time.time()), price=0.04
            )
            async with together:
                if not await folder.shards.put_intent(shard, intent):
                    raise BenchmarkError(f"row {row} had an intent already")

        async def work() -> None:
            for shard in range(1, shards + 1):
                first = (shard - 1) * SHARD_ROWS + 1
                rows = range(first, first + SHARD_ROWS)
                await asyncio.gather(*(put(shard, row) for row in rows))
                where = f".retouch/shards/{shard:06d}/r1"
                await folder.store.delete([f"{where}/{row}.1.intent" for row in rows])

        return await _cpu(work)


def _fingerprints(stage: Stage, rows: int) -> float:
    picture = _picture(stage)
    sent = prepare(picture, stage.folder)
    before = time.process_time()
    marks = set()
    for row in range(rows):
        with picture.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sent.original_sha256:
                raise BenchmarkError(f"{picture} has changed")
        marks.add(fingerprint([sent], f"edit number {row}: make it brighter", _MODEL, None, "1K"))
    spent = time.process_time() - before
    if len(marks) != rows:
        raise BenchmarkError("two edits have one fingerprint")
    return spent


def _picture(stage: Stage) -> Path:
    """A picture of a megabyte."""
    stage.workload.manifest(1)
    picture = stage.folder / "kept.jpg"
    shutil.copyfile(stage.folder / "pictures" / "1.jpg", picture)
    return picture
