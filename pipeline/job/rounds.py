"""``retouch retry``: settles again, in a new round, the rows that are not done; the others are never touched."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from itertools import chain

import msgspec

from pipeline.edit import Edit
from pipeline.errors import JobError, UsageError
from pipeline.job.folder import JobFolder
from pipeline.job.shard import Round
from pipeline.job.spec import Spec
from pipeline.manifest import template
from pipeline.price import Cost, cost_of, price_of
from pipeline.record import Outcome, Record
from pipeline.status import State
from pipeline.timestamp import utc

_records = msgspec.json.Decoder(Record)


class RoundPlan(msgspec.Struct, frozen=True):
    """The rows of each shard that a round settles again."""

    number: int
    plans: dict[int, list[Edit]]

    @property
    def rows(self) -> int:
        """How many rows these are."""
        return sum(map(len, self.plans.values()))

    def cost(self, spec: Spec) -> Cost:
        """The estimate for one try of each row."""
        edits = chain.from_iterable(self.plans.values())
        return cost_of(price_of(edit, spec.model, spec.image_size) for edit in edits)


async def plan_round(
    folder: JobFolder, shards: int, *, reasons: Collection[str] = (), prompt: str | None = None
) -> RoundPlan:
    """Find the rows that are settled but not done.

    Only completely settled shards count: those of other shards are still being worked on.

    Args:
        folder: the job's.
        shards: how many it has.
        reasons: the codes that reasons begin with, or outcomes; if empty, all rows that are not done.
        prompt: the new prompt, which may contain ``{column}`` of the row's columns; ``None``: the old ones.

    Raises:
        JobError: there is nothing to settle again.
    """
    number = await folder.rounds.refresh() + 1
    plans: dict[int, list[Edit]] = {}
    met: Counter[str] = Counter()
    for shard in range(1, shards + 1):
        again = await _again(folder, shard, frozenset(reasons), met)
        if again:
            plans[shard] = [_reworded(edit, prompt) for edit in again]
    if not plans:
        asked = f" for {', '.join(sorted(reasons))}" if reasons else ""
        there = ", ".join(f"{count:,} {code}" for code, count in met.most_common(8))
        why = (
            f"the rows that are not done have other reasons: {there}"
            if there
            else "every finished row is done"
        )
        unsettled = [shard for shard in range(1, shards + 1) if await folder.shards.folded(shard) is None]
        more = "; unfinished rows are processed by the command that started the job" if unsettled else ""
        raise JobError(f"nothing to retry{asked}: {why}{more}")
    return RoundPlan(number, plans)


async def open_round(folder: JobFolder, plan: RoundPlan) -> None:
    """Open the round of *plan*, so that its rows are settled again.

    Raises:
        JobError: another retry came first.
    """
    await folder.plans.add_to_round(plan.number, plan.plans)
    entry = Round(number=plan.number, shards=sorted(plan.plans), opened_at=utc(time.time()))
    if not await folder.rounds.open(entry):
        raise JobError("another retry of this job was started at the same moment: check its status first")
    await folder.want(msgspec.structs.replace(await folder.wanted(), state=State.RUNNING))


async def _again(folder: JobFolder, shard: int, reasons: frozenset[str], met: Counter[str]) -> list[Edit]:
    """The rows of *shard* to settle again; counts in *met* the reasons of all that are not done."""
    totals = await folder.shards.folded(shard)
    if totals is None or totals.outcomes.get(Outcome.DONE, 0) == totals.settled:
        return []
    records = _records.decode_lines(await folder.shards.settled_lines(shard))
    not_done = [record for record in records if record.outcome is not Outcome.DONE]
    met.update(_code(record) for record in not_done)
    rows = {record.row for record in not_done if _meant(record, reasons)}
    return [edit for edit in await folder.plans.newest(shard) if edit.row in rows] if rows else []


def _meant(record: Record, reasons: frozenset[str]) -> bool:
    return not reasons or _code(record) in reasons or record.outcome in reasons


def _code(record: Record) -> str:
    return record.code or record.outcome


def _reworded(edit: Edit, prompt: str | None) -> Edit:
    if prompt is None:
        return edit
    cells = {**edit.extra, "id": edit.id, "image": [*edit.images]}
    try:
        return msgspec.structs.replace(edit, prompt=template.fill(prompt, cells))
    except template.TemplateError as error:
        raise UsageError(f"--prompt, for row {edit.row}: {error}") from error
