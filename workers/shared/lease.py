"""The lease of one shard, as its holder knows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from pipeline.engine.brake import Brake
from pipeline.engine.keeper import GRACE

#: Share of a lease that is not used, since the clocks of two machines never run at quite the same speed.
_MARGIN = 0.1
#: Seconds for which a paid picture is kept while Redis cannot say whose the shard is.
_PATIENCE = 600.0
#: Seconds between two checks whether a renewal has come.
_LOOK = 0.1


class RedisLease:
    """:class:`pipeline.ports.Lease`: certainly ours until renewals stop, and lost only when the server says so.

    Time counts from when a renewal was *sent*, so that it ends here before it ends on the server. After a blocked
    loop or a sleeping machine the lease is seen to have expired without asking anybody; the next renewal says
    whether another worker has taken the shard meanwhile.

    Attributes:
        token: identifies this claim on the server.
        brake: the job's, once the job is opened.
        taken: when the claim was sent, by the monotonic clock.
    """

    def __init__(
        self, token: str, seconds: float, sent: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.token = token
        self.brake: Brake | None = None
        self.taken = sent
        self._seconds = seconds * (1 - _MARGIN)
        self._clock = clock
        self._until = sent + self._seconds
        self._lost = False

    @property
    def gone(self) -> bool:
        return self._lost

    @property
    def renewed_at(self) -> float:
        """When the last accepted renewal was sent, by the monotonic clock."""
        return self._until - self._seconds

    def held(self) -> bool:
        return not self._lost and self._clock() < self._until

    async def sure(self) -> bool:
        """Whether it is ours; waits, within limits, while Redis does not say."""
        end, stopped = self._clock() + _PATIENCE, False
        while not (self._lost or self.held()) and self._clock() < end:
            if self.brake and self.brake.stopped and not stopped:
                stopped, end = True, min(end, self._clock() + GRACE)
            await asyncio.sleep(_LOOK)
        return self.held()

    def renewed(self, sent: float) -> None:
        """The server has accepted the renewal that was sent at *sent*: until then nobody else had the shard."""
        self._until = max(self._until, sent + self._seconds)

    def lost(self) -> None:
        """The server says that it is not ours any more, which is final."""
        self._lost = True
