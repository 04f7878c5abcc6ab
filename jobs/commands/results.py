"""``retouch results``: the record of each row settled so far."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from jobs import output
from jobs.standing import spec_of, the_job
from jobs.words import printable
from pipeline.errors import UsageError
from pipeline.job.folder import JobFolder
from pipeline.job.results import records_in
from pipeline.job.totals import over_shards
from pipeline.record import Outcome, Record
from pipeline.report import write_csv


class _Ended(msgspec.Struct):
    """The part of a record that a filter needs; the rest is not decoded."""

    outcome: Outcome


_ended = msgspec.json.Decoder(_Ended)
_record = msgspec.json.Decoder(Record)


def show(*, job: str, outcome: str | None, json: bool, csv: bool) -> None:
    """Print the records of *job*; as CSV, as JSON lines, or for people."""
    if json and csv:
        raise UsageError("--json and --csv: choose one of them")
    wanted = Outcome(outcome) if outcome else None
    if csv:
        asyncio.run(_print_table(job, wanted))
    else:
        asyncio.run(_print_lines(job, wanted, raw=json))


async def _print_lines(job: str, outcome: Outcome | None, *, raw: bool) -> None:
    folder = await _folder_of(job)
    async for lines in _settled(folder, outcome):
        for line in lines:
            output.write(line if raw else _for_people(_record.decode(line)))


async def _print_table(job: str, outcome: Outcome | None) -> None:
    folder = await _folder_of(job)
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        spool = Path(scratch, "results.jsonl")
        with spool.open("wb") as file:  # noqa: ASYNC230 - nothing else runs here
            async for lines in _settled(folder, outcome):
                file.writelines(lines)
        write_csv(records_in(spool), sys.stdout.buffer)


async def _folder_of(job: str) -> JobFolder:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    await spec_of(entry, folder)
    await folder.rounds.refresh()
    return folder


async def _settled(folder: JobFolder, outcome: Outcome | None) -> AsyncIterator[list[bytes]]:
    """The lines of one shard after another, in the manifest's order."""
    async for settled in over_shards(await folder.plans.count(), folder.shards.settled_lines):
        lines = settled.splitlines(keepends=True)
        yield [line for line in lines if outcome is None or _ended.decode(line).outcome is outcome]


def _for_people(record: Record) -> bytes:
    detail = record.reason or ", ".join(picture.path for picture in record.images)
    return f"{printable(record.id):<24} {record.outcome:<9} {printable(detail)}\n".encode()
