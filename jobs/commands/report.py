"""``retouch report``: write results and report again, from the rows settled so far."""

from __future__ import annotations

import asyncio

import msgspec

from jobs import output
from jobs.standing import spec_of, standings, the_job
from pipeline.job.folder import JobFolder
from pipeline.job.registry import JobEntry
from pipeline.job.results import write_results
from pipeline.job.totals import exact_totals
from pipeline.status import ENDED, Status, counted


def rewrite(*, job: str, json: bool) -> None:
    """Write results.jsonl, results.csv, report.json and report.html of *job*."""
    status = asyncio.run(_rewrite(job))
    if json:
        output.write_json(status)
    else:
        output.write_line(f"{status.out}/results.csv")
        output.write_line(f"{status.out}/report.html")


async def _rewrite(job: str) -> Status:
    return await rewritten(await the_job(job))


async def rewritten(entry: JobEntry) -> Status:
    """Write results and report of *entry*'s job, from the rows settled so far; its status.

    If the job ends meanwhile, they are written once more, so as not to replace the final ones by older ones.
    """
    folder = JobFolder.at(entry.out)
    spec = await spec_of(entry, folder)
    while True:
        await folder.rounds.refresh()
        shards = await folder.plans.count()
        status = await _exact(entry, folder, shards)
        await write_results(folder, shards, status, spec)
        if status.state in ENDED or (await _exact(entry, folder, shards)).state not in ENDED:
            return status


async def _exact(entry: JobEntry, folder: JobFolder, shards: int) -> Status:
    """The status with figures counted from the records, so that the report agrees with its rows."""
    totals = await exact_totals(folder, shards)
    async with standings() as known:
        found = await known.of(entry)
    standing = found.status
    if found.alive:
        # In the folder, its calls in flight look like interrupted ones; the process that makes them knows better.
        totals = msgspec.structs.replace(
            totals,
            calls=standing.calls,
            calls_unknown=standing.calls_unknown,
            calls_unpriced=standing.calls_unpriced,
            verdicts=standing.verdicts,
            cost_usd=standing.cost_usd or 0.0,
        )
    return counted(msgspec.structs.replace(standing, job=entry.job, out=entry.out), totals)
