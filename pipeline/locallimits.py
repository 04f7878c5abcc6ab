"""The limits of a job in one process: pace, budget, slots and timeout, which users may change while it runs."""

from __future__ import annotations

from pipeline.engine.progress import LocalProgress
from pipeline.engine.slots import AdjustableSlots
from pipeline.gemini.transport import room_for
from pipeline.job.folder import JobFolder
from pipeline.job.limits import Limits
from pipeline.job.spec import Spec
from pipeline.job.totals import exact_totals
from pipeline.limits.budget import LocalBudget, maybe_paid
from pipeline.limits.pace import LocalPace
from pipeline.price import estimate


class LocalLimits:
    """The limits of one job in its only process.

    Attributes:
        pace: when calls may start.
        budget: how much they may cost.
        slots: how many may be in flight.
        timeout: how many seconds each may take.
    """

    def __init__(self, folder: JobFolder, spec: Spec, progress: LocalProgress) -> None:
        self.pace = LocalPace(spec.rpm)
        self.budget = LocalBudget(spec.budget)
        self.slots = AdjustableSlots(spec.max_in_flight)
        self.timeout = spec.timeout
        self._folder = folder
        self._spec = spec
        self._progress = progress

    async def begin(self) -> None:
        """Count what earlier processes have spent, if there is a budget."""
        if self.budget.limit is not None:
            self.budget.spent = await self._spent()

    async def bind(self, limits: Limits) -> None:
        """Apply *limits* from now on."""
        self.pace.rpm = limits.rpm
        if limits.max_in_flight > self.slots.limit:
            room_for(limits.max_in_flight)
        self.slots.limit = limits.max_in_flight
        self.timeout = limits.timeout
        if limits.budget != self.budget.limit:
            if self.budget.limit is None:
                # Without a budget, nobody has counted what earlier processes have spent. What is settled while we
                # count is counted twice: better too careful with money.
                here = self.budget.spent
                spent = await self._spent()
                self.budget.spent += spent - here
            await self.budget.limit_to(limits.budget)

    async def _spent(self) -> float:
        """Dollars spent on the job; calls that may have been paid for count as paid."""
        totals = await exact_totals(self._folder, await self._folder.plans.count())
        price = estimate(self._spec.model, self._spec.image_size, 1, 0)
        return totals.cost_usd + maybe_paid(totals, price, self._progress.in_flight)
