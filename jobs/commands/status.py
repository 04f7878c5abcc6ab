"""``retouch status``: the status of one job, or of all."""

from __future__ import annotations

import asyncio

import msgspec

from jobs import output, words
from jobs.standing import Standing, Standings, registry, standings, the_job
from pipeline.concurrency import bounded_map
from pipeline.errors import RetouchError
from pipeline.job.folder import JobFolder
from pipeline.job.registry import JobEntry, entries
from pipeline.notify.journal import Journal, Told
from pipeline.record import Outcome
from pipeline.report.words import money, number
from pipeline.status import ENDED, Status

_HEADER: tuple[str, ...] = ("JOB", "STATE", "ROWS", "DONE", "NOT DONE", "PENDING", "COST", "FOLDER")


class _Shown(Status, frozen=True, kw_only=True):
    """The status object of one job, and its notifications."""

    told: list[Told]


#: Jobs that are read at the same time.
_TOGETHER = 16


def show(*, job: str | None, json: bool) -> None:
    """Print the status of *job*, or of every job in the store."""
    asyncio.run(_show_one(job, json=json) if job else _show_all(json=json))


async def _show_one(job: str, *, json: bool) -> None:
    async with standings() as known:
        standing = await known.of(await the_job(job))
    told = await Journal(JobFolder.at(standing.status.out)).told()
    if standing.note:
        output.say(f"{standing.note}.")
    if json:
        status = msgspec.structs.asdict(standing.status)
        output.write_json(_Shown(**status, told=told) if told else standing.status)
    else:
        for line in [*words.details(standing.status), *map(_news, told)]:
            output.write_line(line)


def _news(told: Told) -> str:
    if told.faults:
        fate = "notification failed: " + "; ".join(map(words.printable, told.faults))
    else:
        fate = f"notified at {told.told_at}" if told.told_at else "notification not confirmed"
    return f"{told.event} at {told.at}: {fate}"


async def _show_all(*, json: bool) -> None:
    async with standings() as known:
        found = await _all(known, await entries(registry()))
    for note in {standing.note for standing in found if standing.note}:
        output.say(f"{note}.")
    if json:
        output.write_json([standing.status for standing in found])
    elif not found:
        output.say(f"No jobs in {registry().url} yet: start one with `retouch run` or `retouch submit`.")
    else:
        statuses = [standing.status for standing in found]
        for line in [*_table(statuses), *_reasons(statuses)]:
            output.write_line(line)


async def _all(known: Standings, jobs: list[JobEntry]) -> list[Standing]:
    """The status of each of *jobs* that can be read; the others are named."""

    async def read(entry: JobEntry) -> Standing | None:
        try:
            return await known.of(entry)
        except RetouchError as error:
            output.say(f"{entry.job}: {error}")
            return None

    return [standing for standing in await bounded_map(read, jobs, _TOGETHER) if standing]


def _table(statuses: list[Status]) -> list[str]:
    rows = [_HEADER, *map(_cells, statuses)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_aligned(row, widths) for row in rows]


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    """Words are aligned left and figures right; the folder comes last, unpadded, since it is long."""
    words_of = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
    figures = [cell.rjust(width) for cell, width in zip(row[2:-1], widths[2:-1], strict=True)]
    return "  ".join((*words_of, *figures, row[-1]))


def _reasons(statuses: list[Status]) -> list[str]:
    return [
        f"{status.job} {words.state_line(status)}"
        for status in statuses
        if status.state_reason and status.state not in ENDED
    ]


def _cells(status: Status) -> tuple[str, ...]:
    not_done = sum(status.outcomes.get(outcome.value) or 0 for outcome in words.NOT_DONE)
    return (
        status.job,
        str(status.state),
        "?" if status.rows is None else f"{status.rows:,}",
        number(status.outcomes.get(Outcome.DONE.value) or 0),
        f"{not_done:,}",
        "?" if status.outcomes.get("pending") is None else number(status.outcomes["pending"]),
        money(status.cost_usd),
        status.out,
    )
