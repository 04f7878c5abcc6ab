"""What Redis reports about itself, and who works with it; for ``retouch doctor``."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from redis.exceptions import NoPermissionError, ResponseError

from workers.monitoring.backlog import Backlog, backlog
from workers.shared.board import Board
from workers.shared.board_types import WorkerCard
from workers.shared.connection import connect, reaching
from workers.shared.status import living_workers

#: Seconds that a message may wait in the queue before it counts as overdue.
OVERDUE = 30.0


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A Redis server as it describes itself; ``None`` where it does not say.

    Attributes:
        name: such as ``redis`` or ``valkey``.
        version: of Redis, or the Redis version that the server is compatible with.
        hidden: commands that this user may not use.
        skew: seconds by which its clock is ahead of ours.
        seconds: for a round trip.
        memory: the share of its memory that is in use; ``None`` without a limit.
    """

    name: str = "redis"
    version: str | None = None
    replica: bool | None = None
    cluster: bool | None = None
    loading: bool | None = None
    eviction: str | None = None
    memory: float | None = None
    append_only: bool | None = None
    sync: str | None = None
    write_failed: bool = False
    hidden: tuple[str, ...] = ()
    skew: float = 0.0
    seconds: float = 0.0


class Workforce(msgspec.Struct, frozen=True, kw_only=True):
    """The workers of a Redis, and their work.

    Attributes:
        cards: of the workers that are alive.
        before: the open work.
        overdue: messages that have waited in the queue for longer than :data:`OVERDUE`.
    """

    cards: tuple[WorkerCard, ...]
    before: Backlog
    overdue: int


async def inspect_server(url: str) -> Server:
    """The Redis at *url*.

    Raises:
        BrokerError: it is out of reach.
    """
    client = connect(url)
    try:
        with reaching(client):
            await client.ping()
            began, clock = time.time(), time.monotonic()
            seconds, micros = await client.time()
            took = time.monotonic() - clock
            info, info_hidden = await _allowed("INFO", client.info("everything"))
            config, config_hidden = await _allowed("CONFIG", client.config_get("appendfsync"))
    finally:
        await client.aclose()
    return _server(
        info or {},
        sync=(config or {}).get("appendfsync"),
        hidden=(*info_hidden, *config_hidden),
        skew=seconds + micros / 1e6 - (began + took / 2),
        took=took,
    )


async def inspect_workforce(url: str) -> Workforce:
    """The workers that share the Redis at *url*, and their open work.

    Raises:
        BrokerError: it is out of reach.
    """
    client = connect(url)
    try:
        return Workforce(
            cards=tuple(await living_workers(client)),
            before=await backlog(client),
            overdue=await Board(client).overdue(OVERDUE),
        )
    finally:
        await client.aclose()


async def _allowed(command: str, asked: Any) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The answer; or the command's name, when the server forbids it, as managed ones do."""
    try:
        return dict(await asked), ()
    except (NoPermissionError, ResponseError):
        return None, (command,)


def _server(
    info: dict[str, Any], *, sync: str | None, hidden: tuple[str, ...], skew: float, took: float
) -> Server:
    def flag(name: str) -> bool | None:
        return bool(int(info[name])) if name in info else None

    limit = int(info.get("maxmemory") or 0)
    return Server(
        name=str(info.get("server_name") or "redis"),
        version=None if "redis_version" not in info else str(info["redis_version"]),
        replica=None if "role" not in info else info["role"] != "master",
        cluster=flag("cluster_enabled"),
        loading=flag("loading"),
        eviction=info.get("maxmemory_policy"),
        memory=int(info["used_memory"]) / limit if limit and "used_memory" in info else None,
        append_only=flag("aof_enabled"),
        sync=sync,
        write_failed="err" in (info.get("aof_last_write_status"), info.get("rdb_last_bgsave_status")),
        hidden=hidden,
        skew=skew,
        seconds=took,
    )
