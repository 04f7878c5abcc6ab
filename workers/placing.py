"""Put a job on the board from what its folder holds: when it is submitted, and after Redis has lost it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.engine.brake import CANCELLING, PAUSED
from pipeline.job.folder import JobFolder
from pipeline.job.registry import last_status
from pipeline.job.spec import Spec
from pipeline.job.totals import over_shards
from pipeline.limits.budget import maybe_paid
from pipeline.ports import Wanted
from pipeline.price import estimate
from pipeline.status import ENDED, State, Status, Totals
from workers.reporting import report
from workers.settings import lease_seconds
from workers.shared.board import Board
from workers.shared.board_types import Placement

#: The reason shown for a state that people asked for.
REASONS: Mapping[State, str] = MappingProxyType({State.PAUSED: PAUSED, State.CANCELLED: CANCELLING})


async def place(board: Board, folder: JobFolder, spec: Spec, wanted: Wanted) -> bool:
    """Put a planned job on the board, or resume the one that is there, as *wanted*; whether Redis did not know it.

    Raises:
        BrokerError: Redis is out of reach.
        StoreError: the folder cannot be read.
    """
    state = {State.PAUSED: State.PAUSED, State.CANCELLED: State.RUNNING}.get(wanted.state, State.QUEUED)
    fresh = await _open(board, folder, spec, wanted, state, REASONS.get(wanted.state, ""))
    await report(board, folder, spec.job)
    return fresh


async def place_again(board: Board, folder: JobFolder) -> bool:
    """Restore a job that Redis has lost; false when the folder has no job, or one that has ended.

    The folder decides: a paused or halted job stays so, and cancelling continues.

    Raises:
        BrokerError: Redis is out of reach.
        StoreError: the folder cannot be read.
    """
    spec, last = await folder.spec(), await last_status(folder)
    if spec is None or (last and last.state in ENDED):
        return False
    wanted = await folder.wanted()
    state, reason = _state_before(wanted, last)
    return await _open(board, folder, spec, wanted, state, reason, only_lost=True)


def _state_before(wanted: Wanted, last: Status | None) -> tuple[State, str]:
    if wanted.state is State.PAUSED:
        return State.PAUSED, PAUSED
    if wanted.state is State.CANCELLED:
        return State.RUNNING, CANCELLING
    # Stopped by a row, so it needs a person; that Redis was lost does not change that.
    if last and last.state in (State.HALTED, State.PAUSED) and last.state_reason != PAUSED:
        return last.state, last.state_reason or ""
    return State.QUEUED, ""


async def _open(
    board: Board,
    folder: JobFolder,
    spec: Spec,
    wanted: Wanted,
    state: State,
    reason: str,
    *,
    only_lost: bool = False,
) -> bool:
    planned = await folder.planned()
    if planned is None:
        return False
    await folder.rounds.refresh()
    folded, begun = await _shards(folder, planned.shards)
    price = estimate(spec.model, spec.image_size, 1, 0)
    how = Placement(
        out=folder.store.url,
        rows=planned.rows,
        shards=planned.shards,
        wanted=wanted,
        state=state,
        reason=reason,
        only_lost=only_lost,
        spare=lease_seconds(),
        maybe_paid=sum(maybe_paid(totals, price) for totals in (*folded.values(), *begun.values())),
    )
    return await board.open(spec.job, how, folded, begun)


async def _shards(folder: JobFolder, shards: int) -> tuple[dict[int, Totals], dict[int, Totals]]:
    """From the job folder: the totals of the folded shards, and of those that were started but are not folded."""
    folded: dict[int, Totals] = {}
    begun: dict[int, Totals] = {}

    async def look(shard: int) -> None:
        totals = await folder.shards.folded(shard)
        if totals is not None:
            folded[shard] = totals
        elif await folder.plans.begun(shard):
            begun[shard] = await folder.shards.totals(shard)

    async for _ in over_shards(shards, look):
        pass
    return folded, begun
