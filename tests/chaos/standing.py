"""Workers that stay from test to test, where a test does not harm them: starting two takes two seconds."""

from __future__ import annotations

from tests.chaos.ground import Ground
from tests.chaos.processes import Process
from workers.shared.keys import ACTIVE


class StandingCrew:
    """Workers of *slots* on the same Redis and proxy as the grounds that they are lent to."""

    def __init__(self, home: Ground, slots: int, size: int = 2) -> None:
        self._home = home
        self._slots = slots
        self._size = size
        self._workers: list[Process] = []

    def lend(self, ground: Ground) -> list[Process]:
        """The workers, for the job of *ground*; a dead one is replaced."""
        self._workers = [worker for worker in self._workers if worker.alive]
        while len(self._workers) < self._size:
            self._workers.append(self._home.worker(self._slots))
        ground.receive(self._workers)
        return list(self._workers)

    def take_back(self) -> None:
        """Let none of them go on with what a failed test has left."""
        if self._home.server.redis.exists(ACTIVE):
            self.end()

    def end(self) -> None:
        self._home.processes.end()
