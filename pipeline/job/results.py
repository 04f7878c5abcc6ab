"""Makes ``results.jsonl``, ``results.csv``, ``report.json`` and ``report.html`` from the records."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from pipeline.failpoints import COLLECTED_STEP, failpoint
from pipeline.job.folder import JobFolder
from pipeline.job.inputs import bucket_inputs, roots_of, uploaded_name
from pipeline.job.spec import Spec
from pipeline.job.totals import over_shards
from pipeline.record import Record
from pipeline.report import local_inputs, write_csv, write_html
from pipeline.status import Status
from pipeline.store import is_bucket_url

_record = msgspec.json.Decoder(Record)


async def write_status(folder: JobFolder, status: Status) -> None:
    """Write ``report.json``."""
    await folder.store.put("report.json", msgspec.json.format(msgspec.json.encode(status), indent=2))


async def _always() -> bool:
    return True


async def write_results(
    folder: JobFolder,
    shards: int,
    status: Status,
    spec: Spec,
    ours: Callable[[], Awaitable[bool]] = _always,
) -> bool:
    """Write results and report of what is settled in the first *shards* shards; repeatable at any time.

    The records are copied as they are into one file on this machine, from which the other forms are made: a
    million rows pass through memory one by one.

    Args:
        folder: the job's.
        shards: how many of them are looked at.
        status: how the job stands.
        spec: the job's.
        ours: asked before each write; when it says no, another has written later results meanwhile.

    Returns:
        Whether all of it was written.

    Raises:
        StoreError: something could not be read or written.
    """
    with tempfile.TemporaryDirectory(prefix="retouch-") as scratch:
        lines = Path(scratch, "results.jsonl")
        await _collect(folder, shards, lines)
        table = Path(scratch, "results.csv")
        await asyncio.to_thread(_write_table, lines, table)
        failpoint(COLLECTED_STEP)
        if not await ours():
            return False
        pages = folder.store.folder or Path(scratch, "pages")
        written = await asyncio.to_thread(_write_pages, lines, status, spec, pages)
        if folder.store.folder is None:
            for page in written:
                await folder.store.put_file(page.relative_to(pages).as_posix(), page)
        for name, file in (("results.csv", table), ("results.jsonl", lines)):
            if not await ours():
                return False
            await folder.store.put_file(name, file)
    if not await ours():
        return False
    await write_status(folder, status)
    return True


def records_in(lines: Path) -> Iterator[Record]:
    """The records of a ``results.jsonl``."""
    with lines.open("rb") as file:
        for line in file:
            yield _record.decode(line)


async def _collect(folder: JobFolder, shards: int, lines: Path) -> None:
    with lines.open("wb") as file:
        async for settled in over_shards(shards, folder.shards.settled_lines):
            file.write(settled)


def _write_table(lines: Path, table: Path) -> None:
    with table.open("wb") as file:
        write_csv(records_in(lines), file)


def _write_pages(lines: Path, status: Status, spec: Spec, pages: Path) -> list[Path]:
    pages.mkdir(exist_ok=True)
    return write_html(status, records_in(lines), pages, inputs=_addresses(spec, pages), note=_note(spec))


def _note(spec: Spec) -> str | None:
    """What stands below the headline; with it why no picture is shown as it was before, where none can be."""
    here, there = is_bucket_url(spec.root), is_bucket_url(spec.out)
    apart = None
    if there and not here and not spec.uploaded:
        apart = (
            f"The originals in {spec.root} are not shown, because the report is stored elsewhere; "
            "`retouch submit --upload` copies them next to it."
        )
    elif here and not there:
        apart = f"The originals in {spec.root} are not shown, because the report is stored elsewhere."
    return " ".join(filter(None, (spec.note, apart))) or None


def _addresses(spec: Spec, pages: Path) -> Callable[[str], str | None]:
    """Where the report finds an input picture; nowhere, when it lies on one side and the report on the other."""
    roots = roots_of(spec)
    if is_bucket_url(spec.out):
        find = bucket_inputs(roots, spec.out)
    elif isinstance(roots.root, Path):
        find = local_inputs(Path(roots.mapped(str(roots.root))), pages, outside=roots.allow_outside)
    else:
        return lambda _: None
    return (lambda name: find(uploaded_name(name))) if spec.uploaded else find
