"""What a row needs before each of its calls: a slot, a turn, money, and a lease that is surely held."""

from __future__ import annotations

from pipeline.concurrency import wait_for_event
from pipeline.engine.brake import OVER_BUDGET
from pipeline.engine.jobrun import JobRun
from pipeline.ports import Lease
from pipeline.status import State


class Permit:
    """One row's permission to call."""

    def __init__(self, job: JobRun, model: str, lease: Lease) -> None:
        self._holds_slot = False
        self._job = job
        self._model = model
        self._lease = lease

    async def take_slot(self) -> bool:
        """Hold one of the job's slots; false if the job is stopped first."""
        brake, slots = self._job.brake, self._job.slots
        if not self._holds_slot and not brake.stopped:
            self._holds_slot = bool(
                await brake.race(slots.acquire()) if slots.locked() else await slots.acquire()
            )
        return self._holds_slot

    def release_slot(self) -> None:
        """Give the slot back, if held."""
        if self._holds_slot:
            self._holds_slot = False
            self._job.slots.release()

    async def granted(self, price: float) -> bool:
        """Wait for a turn, a slot and *price* dollars; false if the job is stopped meanwhile."""
        brake = self._job.brake
        await brake.race(self._job.keeper.ready())
        if not await self._turn() or not await self.take_slot():
            return False
        granted = await brake.race(self._job.budget.reserve(price))
        if granted and not brake.stopped and await self._ours():
            return True
        if granted:
            await self._job.budget.settle(price, 0.0)
        elif granted is False:
            brake.stop(State.PAUSED, OVER_BUDGET)
        return False

    async def _turn(self) -> bool:
        """Wait for a turn, booking another if the pace changes; false if the job is stopped first."""
        brake, pace = self._job.brake, self._job.pace
        while not brake.stopped:
            changed = pace.changed
            if pace.crowded:
                self.release_slot()
            delay = await brake.race(pace.turn(self._model))
            if not delay:
                break
            self.release_slot()
            if not await brake.race(wait_for_event(changed, delay)):
                break
        return not brake.stopped

    async def _ours(self) -> bool:
        """Whether the shard is surely ours. The row waits while nobody can tell, unless the job is stopped."""
        return self._lease.held() or bool(await self._job.brake.race(self._lease.sure()))
