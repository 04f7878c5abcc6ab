"""The money that all workers of a job share."""

from __future__ import annotations

import asyncio

from pipeline.concurrency import stay_cancelled, wait_for_event
from pipeline.engine.brake import Brake
from workers.shared.board import Board
from workers.shared.retry import retry_until_stopped
from workers.shared.sums import billionths

#: Seconds after which a waiting reservation is tried again: calls of other workers may have cost less.
_ASK_AGAIN = 0.5
#: More than any limit; whole numbers up to here are exact in Lua, too.
_NO_LIMIT = 2**53


class Purse:
    """What this process has reserved and spent for one job; kept as long as the process lives.

    Each reservation and each heartbeat reports both sums in full: a report that is repeated counts once, and one that
    arrives late is ignored. So settling a call costs no round trip and cannot fail.

    Attributes:
        aside: what is reserved, or just being asked for; in billionths of a dollar.
        spent: in billionths of a dollar.
    """

    def __init__(self) -> None:
        self.aside = 0
        self.spent = 0
        self._times = 0
        #: Reserved and spent as last reported; ``None``: it must be reported (again).
        self._said: tuple[int, int] | None = (0, 0)
        self._born = ""

    def say(self) -> str:
        """A report of the sums, as Redis keeps it."""
        self._times += 1
        return f"{self.aside} {self.spent} {self._times}"

    def counted_from(self, born: str) -> None:
        """Redis rebuilt the job's sums from its folder, at *born*: they include what we have reported.

        They may also include what we have not reported yet. That counts twice then: the budget errs on the safe side.
        """
        if born and self._born not in ("", born):
            self.spent -= self._said[1] if self._said else 0
            self._said = None
        self._born = born or self._born

    def news(self) -> str:
        """:meth:`say`, or an empty text if the sums are as last reported."""
        return "" if (self.aside, self.spent) == self._said else self.say()

    def heard(self, sums: str, born: str) -> None:
        """Redis has taken in *sums* with a heartbeat, for the creation *born* of the job's keys."""
        if born == self._born and sums:
            aside, spent, _ = map(int, sums.split())
            self._said = (aside, spent)


class RedisBudget:
    """:class:`pipeline.ports.Budget` over Redis.

    Attributes:
        limit: dollars for the whole job, ``None``: no limit; may be changed while the job runs.
        short: a call waits for money that is reserved for others.
    """

    def __init__(self, board: Board, job: str, limit: float | None, brake: Brake, purse: Purse) -> None:
        self.limit = limit
        self.short = False
        self._board = board
        self._job = job
        self._brake = brake
        self._purse = purse
        # One reservation at a time: the next would get the same answer.
        self._asking = asyncio.Lock()
        self._settled = asyncio.Event()

    async def reserve(self, usd: float) -> bool:
        price = billionths(usd)
        if self.limit is None:
            self._purse.aside += price
            return True
        async with self._asking:
            while (answer := await self._ask(price)) == "later":
                self.short = True
                self._settled.clear()
                await wait_for_event(self._settled, _ASK_AGAIN)
            self.short = False
            return answer == "yes"

    async def settle(self, reserved: float, spent: float) -> None:
        self._purse.aside = max(0, self._purse.aside - billionths(reserved))
        self._purse.spent += billionths(spent)
        self._settled.set()

    async def _ask(self, price: int) -> str:
        limit = _NO_LIMIT if self.limit is None else billionths(self.limit)

        async def ask() -> str:
            while True:
                sums = self._purse.say()
                # A heartbeat meanwhile reports the price, too: two workers never spend the same dollar.
                self._purse.aside += price
                granted = False
                try:
                    answer = await self._board.reserve(self._job, sums, price, limit)
                    # A row that was cancelled meanwhile would never settle its reservation.
                    stay_cancelled()
                    granted = answer == "yes"
                finally:
                    self._purse.aside -= 0 if granted else price
                if answer != "again":
                    return answer

        return await retry_until_stopped(ask, self._brake, "no")
