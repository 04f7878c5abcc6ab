"""``retouch report``: write results and report anew from what is settled."""

from __future__ import annotations

import asyncio

from jobs import output
from jobs.standing import spec_of, standings, the_job
from pipeline.edit import Status
from pipeline.job.folder import JobFolder
from pipeline.job.registry import Entry
from pipeline.job.results import write_results
from pipeline.job.totals import exact_totals
from pipeline.progress import status_of


def rewrite(*, job: str, json: bool) -> None:
    """Write results.jsonl, results.csv, report.json and report.html of *job*."""
    status = asyncio.run(_rewrite(job))
    if json:
        output.write_json(status)
    else:
        output.write_line(f"{status.out}/results.csv")
        output.write_line(f"{status.out}/report.html")


async def _rewrite(job: str) -> Status:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    shards = await folder.shards_planned()
    status = await _exact(entry, folder, shards)
    await write_results(folder, shards, status, await spec_of(entry, folder))
    return status


async def _exact(entry: Entry, folder: JobFolder, shards: int) -> Status:
    """The status with its figures counted from the records: a report must agree with its rows."""
    async with standings() as known:
        standing = (await known.of(entry)).status
    return status_of(
        await exact_totals(folder, shards),
        job=entry.job,
        out=entry.out,
        state=standing.state,
        state_reason=standing.state_reason,
        rows=standing.rows,
        in_flight=standing.in_flight,
        images_per_minute=standing.images_per_minute,
        submitted_at=standing.submitted_at,
        started_at=standing.started_at,
        finished_at=standing.finished_at,
    )
