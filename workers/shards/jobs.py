"""The jobs with shards in this process: opened with the first shard here, dropped with the last."""

from __future__ import annotations

from pipeline.status import State
from workers.shards.mark import Marks
from workers.shards.worker_job import WorkerJob
from workers.shared.board_types import ShardClaim
from workers.tools import Tools

STOPPING = "this worker is stopping; another continues"


class Jobs:
    """The jobs of this process.

    Attributes:
        open: jobs with shards here, by id.
        folders: the folder of each job that this process has worked on and that may not have ended.
        marks: keep workers of another Redis away from these jobs, and this worker from theirs.
    """

    def __init__(self, tools: Tools) -> None:
        self.open: dict[str, WorkerJob] = {}
        self.folders: dict[str, str] = {}
        self.marks = Marks(tools.board)
        self._tools = tools
        self._stopping = False

    def stop(self) -> None:
        """Start no more calls, in any job: this process is to end."""
        self._stopping = True
        for worker_job in self.open.values():
            worker_job.brake.stop(State.QUEUED, STOPPING)

    async def join(self, job: str, claim: ShardClaim) -> WorkerJob:
        """The job of a shard that was claimed; call :meth:`leave` when the shard is over.

        Raises:
            BrokerError: Redis is out of reach.
            StoreError: the folder cannot be read, or workers of another Redis have the job.
        """
        self.folders[job] = claim.out
        worker_job = self._usable(job, claim)
        if worker_job is None:
            opened = await WorkerJob.open(self._tools, claim.out)
            await self.marks.demand(opened.folder)
            if opened.wanted.state is not claim.want:
                # What people asked for while Redis was away is only in control.json.
                await opened.control.repeat_wanted()
            # Another shard may have opened the job meanwhile.
            worker_job = self.open[job] = self._usable(job, claim) or opened
        self._tools.purses[job].counted_from(claim.born)
        worker_job.shards += 1
        if self._stopping:
            worker_job.brake.stop(State.QUEUED, STOPPING)
        return worker_job

    def leave(self, job: str, worker_job: WorkerJob) -> None:
        """A shard of *worker_job* is over."""
        worker_job.shards -= 1
        if not worker_job.shards and self.open.get(job) is worker_job:
            del self.open[job]

    def ended(self, job: str) -> None:
        """Forget *job*: it has ended, or is not to be put on the board again."""
        self.folders.pop(job, None)

    def _usable(self, job: str, claim: ShardClaim) -> WorkerJob | None:
        """The job here, unless it was stopped: a job that is resumed is opened anew, with a new brake."""
        worker_job = self.open.get(job)
        if worker_job is None or not worker_job.brake.stopped:
            return worker_job
        return worker_job if worker_job.brake.cancelled and claim.want is State.CANCELLED else None
