"""``retouch verify``: whether the files of a job match its records."""

from __future__ import annotations

import asyncio

import msgspec

from jobs import output
from jobs.standing import spec_of, the_job
from jobs.words import printable
from pipeline.job.folder import JobFolder
from pipeline.job.verify import Flaw, Verified, Verifier
from pipeline.report.words import plural

#: Flaws that are named in JSON; more are counted.
KEPT = 10_000


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What ``verify --json`` prints; *ended*: the job has ended, so all of it was compared."""

    job: str
    out: str
    ended: bool
    records: int
    pictures: int
    bytes: int
    flaws_found: int
    flaws: list[Flaw]


class _Flaws:
    """Counts flaws; prints each at once, or keeps the first ones for JSON."""

    def __init__(self, *, say: bool) -> None:
        self.count = 0
        self.kept: list[Flaw] = []
        self._say = say

    def found(self, flaw: Flaw) -> None:
        """Count, and print or keep, one more flaw."""
        self.count += 1
        if self._say:
            row = "" if flaw.row is None else f" (row {flaw.row})"
            output.write_line(f"{flaw.code}: {printable(flaw.path)}{row} {printable(flaw.message)}")
        elif len(self.kept) < KEPT:
            self.kept.append(flaw)


def verify(*, job: str, json: bool) -> int:
    """Compare files and records; 0 if everything matches, 1 if not."""
    return asyncio.run(_verify(job, json=json))


async def _verify(job: str, *, json: bool) -> int:
    entry = await the_job(job)
    folder = JobFolder.at(entry.out)
    await spec_of(entry, folder)
    flaws = _Flaws(say=not json)
    seen = await Verifier(folder, flaws.found).run()
    if json:
        output.write_json(
            Found(
                job=entry.job,
                out=entry.out,
                flaws_found=flaws.count,
                flaws=flaws.kept,
                **msgspec.structs.asdict(seen),
            )
        )
    else:
        output.say(_summary(entry.job, seen, flaws.count))
    return 1 if flaws.count else 0


def _summary(job: str, seen: Verified, flaws: int) -> str:
    what = f"{plural(seen.records, 'record')}, {plural(seen.pictures, 'picture')}, {seen.bytes / 1e6:,.1f} MB"
    result = plural(flaws, "flaw") if flaws else "everything matches the records"
    rest = "" if seen.ended else "; the job has not ended, so only finished rows were compared"
    return f"{job}: {what}: {result}{rest}."
