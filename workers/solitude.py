"""Shards that seem to kill their workers: taken alone, then set aside."""

from __future__ import annotations

import time

#: Seconds for which a worker takes no other shard, so that it can take a suspect.
_DRAIN = 60.0

Name = tuple[str, int]


class Solitude:
    """Which shards this process may take, so that a suspect is alone in it.

    A worker dies with all the shards that it holds, most of them innocent: two deaths say little. Whoever dies with
    a suspect alone has died of it, and takes no other down with it.
    """

    def __init__(self) -> None:
        self._alone: Name | None = None
        self._awaited: Name | None = None
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether any shard may be taken now."""
        return not self._alone and (self._awaited is None or time.monotonic() >= self._until)

    def lets(self, shard: Name) -> bool:
        """Whether *shard* may be taken now."""
        return self.open or (not self._alone and self._awaited == shard)

    def make_room(self, shard: Name) -> None:
        """Let no other shard come until *shard* can be alone here, for a while."""
        if self._awaited is None or time.monotonic() >= self._until:
            self._awaited, self._until = shard, time.monotonic() + _DRAIN

    def begin(self, shard: Name) -> None:
        """*shard* is alone here now."""
        self._alone, self._awaited = shard, None

    def end(self, shard: Name) -> None:
        """*shard* has left, whether it was alone or not."""
        if self._alone == shard:
            self._alone = None
