"""The money that all workers of a job share."""

from __future__ import annotations

import asyncio

from pipeline.concurrency import stay_cancelled, wait_for_event
from pipeline.engine.brake import Brake
from workers.shared.board import Board
from workers.shared.retry import retry_until_stopped
from workers.shared.sums import billionths

#: Seconds after which it is asked again whether calls of other workers turned out cheaper.
_ASK_AGAIN = 0.5
#: More than any limit; whole billionths up to here are exact in Lua too.
_NO_LIMIT = 2**53


class Purse:
    """What this process has set aside and spent for one job; kept as long as the process lives.

    It is said in whole, with each reservation and by the heartbeat: what is said twice counts once, what is said
    late counts not at all. So settling costs no round trip and cannot fail.

    Attributes:
        aside: billionths of a dollar, those that are just being asked for included.
        spent: billionths of a dollar.
    """

    def __init__(self) -> None:
        self.aside = 0
        self.spent = 0
        self._times = 0
        #: Set aside and spent as Redis has heard it; ``None``: it has to hear it (again).
        self._said: tuple[int, int] | None = (0, 0)
        self._born = ""

    def say(self) -> str:
        """The sums as Redis keeps them."""
        self._times += 1
        return f"{self.aside} {self.spent} {self._times}"

    def counted_from(self, born: str) -> None:
        """The job's sums in Redis were made anew from its folder, at *born*: what it has heard of us is in them.

        What it has not heard may be in them too, and counts twice then: the budget is rather too careful.
        """
        if born and self._born not in ("", born):
            self.spent -= self._said[1] if self._said else 0
            self._said = None
        self._born = born or self._born

    def news(self) -> str:
        """:meth:`say`, or nothing when the sums are as they were last heard."""
        return "" if (self.aside, self.spent) == self._said else self.say()

    def heard(self, sums: str, born: str) -> None:
        """Redis has taken *sums* from the heartbeat, for the making of the job's keys that is called *born*."""
        if born == self._born and sums:
            aside, spent, _ = map(int, sums.split())
            self._said = (aside, spent)


class RedisBudget:
    """:class:`pipeline.ports.Budget` over Redis.

    Attributes:
        limit: dollars for the whole job, ``None``: no limit; may be changed while the job runs.
        short: a call waits for money that others have set aside.
    """

    def __init__(self, board: Board, job: str, limit: float | None, brake: Brake, purse: Purse) -> None:
        self.limit = limit
        self.short = False
        self._board = board
        self._job = job
        self._brake = brake
        self._purse = purse
        # One asks at a time: whoever comes after it would hear the same.
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
                # What the heartbeat says meanwhile holds the price too: two workers never spend the same dollar.
                self._purse.aside += price
                granted = False
                try:
                    answer = await self._board.reserve(self._job, sums, price, limit)
                    # Nobody would ever settle what is set aside for a row that has gone.
                    stay_cancelled()
                    granted = answer == "yes"
                finally:
                    self._purse.aside -= 0 if granted else price
                if answer != "again":
                    return answer

        return await retry_until_stopped(ask, self._brake, "no")
