"""What the rows of one job share in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipeline.attempt import Verdict
from pipeline.engine.brake import Brake
from pipeline.engine.keeper import Keeper
from pipeline.gemini.answer import Answer, Failure
from pipeline.gemini.judgement import Judgement
from pipeline.gemini.request import ImageRequest
from pipeline.history import History
from pipeline.inputs import Inputs
from pipeline.job.folder import JobFolder
from pipeline.job.spec import Spec
from pipeline.limits.budget import DearestTries
from pipeline.models import Catalogue
from pipeline.picture import VerifiedPicture, verify
from pipeline.policy import SAME_FAULTS
from pipeline.ports import Budget, Pace, Progress
from pipeline.reuse import Reuse
from pipeline.status import State
from pipeline.store import Bytes

if TYPE_CHECKING:
    from pipeline.gemini.files import RowFiles
    from pipeline.picture import SentPicture


class Caller(Protocol):
    """What a row needs of the API: :class:`pipeline.gemini.client.Client`.

    Attributes:
        last_piece: when the API last accepted a piece of an upload, by the monotonic clock; 0 if it never did.
    """

    last_piece: float

    def call(
        self, request: ImageRequest, *, timeout: float, on_begun: Callable[[], None] | None = None
    ) -> AbstractAsyncContextManager[Answer | Failure]:
        """Make one call. The reply is held, and other calls of the process may have to wait, until the block ends."""
        ...

    def files_of_row(self, pictures: Sequence[SentPicture]) -> RowFiles | None:
        """The files of those *pictures* of a row that are too big for its requests; ``None`` if none is."""
        ...


class Slots(Protocol):
    """Limits the calls in flight, as :class:`asyncio.Semaphore` does; a worker's are shared by all its jobs."""

    def locked(self) -> bool:
        """Whether :meth:`acquire` would wait."""
        ...

    async def acquire(self) -> bool:
        """Take a slot."""
        ...

    def release(self) -> None:
        """Give a slot back."""
        ...


@dataclass
class FaultCount:
    """Counts equal faults while nothing has succeeded: five of them say that the job is wrong.

    Bad requests count over all rows; a timeout that is too short for one row, which may be the doing of a busy
    moment, must have been too short for the same row again and again.
    """

    succeeded: bool = False
    same: dict[str | None, int] = field(default_factory=dict)

    def halts(self, judged: Judgement, history: History) -> bool:
        """Count *judged*, the last of a row's *history*, if it is one; whether the job should halt."""
        if self.succeeded:
            return False
        if judged.verdict is not Verdict.INVALID_REQUEST:
            return judged.too_short and history.in_a_row(judged.verdict) >= SAME_FAULTS
        self.same[judged.detail] = self.same.get(judged.detail, 0) + 1
        return self.same[judged.detail] >= SAME_FAULTS


@dataclass(kw_only=True)
class JobRun:
    """One job in this process: its folder, its edge to the API, and what it shares with other processes.

    Attributes:
        slots: limits this job's calls in flight in this process.
        decoders: threads that decode pictures, as many as there are cores to use.
        timeout: seconds per call; may change while the job runs.
        reuse: the edits that were already paid for in this store.
        dearest: by how much tries have exceeded their estimates, so that enough is reserved for the next.
        set_aside: if set, no more calls are made, and the remaining rows are settled as failed for this reason.
    """

    folder: JobFolder
    spec: Spec
    client: Caller
    inputs: Inputs
    catalogue: Catalogue
    pace: Pace
    budget: Budget
    progress: Progress
    slots: Slots
    decoders: Executor
    brake: Brake
    timeout: float
    reuse: Reuse
    set_aside: str | None = None
    faults: FaultCount = field(default_factory=FaultCount)
    dearest: DearestTries = field(default_factory=DearestTries)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.brake, self.progress)

    def halt(self, reason: str) -> None:
        """Stop the job until somebody has fixed *reason*."""
        self.brake.stop(State.HALTED, reason)

    async def verify(self, data: Bytes) -> VerifiedPicture:
        """Decode *data* whole, in one of the threads for that.

        Raises:
            BadPicture: it is not a whole picture.
        """
        return await asyncio.get_running_loop().run_in_executor(self.decoders, verify, data)
