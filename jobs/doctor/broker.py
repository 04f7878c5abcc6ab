"""Redis: can it be reached, and does it have the version and settings that submitted jobs need?"""

from __future__ import annotations

import msgspec

from jobs.doctor.finding import Finding, fault, ok, warning
from pipeline.errors import BrokerError
from workers.monitoring.inspection import Server, inspect_server
from workers.shared.connection import without_password

#: What Celery 5.7 needs.
_OLDEST = (6, 2)
#: Share of the memory above which it is nearly full.
_FULL = 0.9
#: Round trips that must fit into a lease.
_TRIPS = 10


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about Redis.

    Attributes:
        meant: whether ``RETOUCH_REDIS_URL`` is set; the default address is needed only for submitted jobs.
        lease: seconds for which a worker claims a shard.
        away: why it cannot be reached.
    """

    where: str
    meant: bool
    lease: float
    away: str | None = None
    server: Server | None = None


async def read(url: str, *, meant: bool, lease: float) -> Broker:
    """Look at the Redis at *url*."""
    known = Broker(where=without_password(url), meant=meant, lease=lease)
    try:
        return msgspec.structs.replace(known, server=await inspect_server(url))
    except BrokerError as error:
        return msgspec.structs.replace(known, away=str(error))


def judge(broker: Broker) -> list[Finding]:
    """What it means for submitted jobs."""
    server = broker.server
    if server is None:
        text = broker.away or f"Redis at {broker.where} was not asked"
        mend = "start one with `retouch up`, or set RETOUCH_REDIS_URL"
        if broker.meant:
            return [fault("redis", text, mend)]
        return [warning("redis", text, f"{mend}; `retouch run` needs none, `submit` and `worker` do")]
    version = f"{server.name} {server.version or 'of an unknown version'}"
    said = f"{version} at {broker.where} answers in {server.seconds * 1000:.1f} ms"
    wrong = [*_kind(server), *_keeping(server), *_speed(broker, server)]
    if server.hidden:
        # As on managed servers: no fault, but what cannot be seen is not reported as fine.
        said += f"; {' and '.join(server.hidden)} cannot be used, so some settings cannot be checked"
    return [ok("redis", said), *wrong, *([] if wrong else [_well(broker, server)])]


def _well(broker: Broker, server: Server) -> Finding:
    seen = [
        text
        for text, known in (
            (f"eviction {server.eviction}", server.eviction),
            (f"append-only file {server.sync or 'on'}", server.append_only),
        )
        if known
    ]
    # There is no visibility timeout to check: messages are not acknowledged, and leases redeliver.
    leases = f"leases of {broker.lease:g} s are used instead of the visibility timeout"
    return ok("settings", ", ".join([*seen, leases]))


def _kind(server: Server) -> list[Finding]:
    found = []
    if server.version and _number(server.version) < _OLDEST:
        text = f"{server.name} {server.version} is too old for Celery"
        found.append(fault("redis", text, "use Redis 6.2 or later, or Valkey"))
    if server.replica:
        mend = "set RETOUCH_REDIS_URL to the primary"
        found.append(fault("redis", "it is a replica, which accepts no writes", mend))
    if server.cluster:
        text = "it is a cluster, but retouch needs all keys on one server"
        found.append(fault("redis", text, "use a single server (with replicas, if you like)"))
    if server.loading:
        found.append(warning("redis", "it is still loading its data", "wait; workers do so by themselves"))
    return found


def _keeping(server: Server) -> list[Finding]:
    found = []
    if server.eviction not in (None, "noeviction"):
        text = f"maxmemory-policy is {server.eviction}: when memory is full, leases and budgets are lost"
        mend = "set maxmemory-policy noeviction"
        # Without a memory limit nothing is evicted, but one may be set later.
        found.append(
            warning("eviction", text, mend) if server.memory is None else fault("eviction", text, mend)
        )
    if server.memory is not None and server.memory > _FULL:
        text = f"{server.memory:.0%} of its memory is used; a full Redis refuses writes"
        found.append(warning("memory", text, "raise maxmemory, or move other applications' keys elsewhere"))
    if server.append_only is False:
        text = "its append-only file is off: after a restart, jobs must be restored from the store, which takes time"
        found.append(warning("persistence", text, "set appendonly yes and appendfsync everysec"))
    if server.write_failed:
        mend = "free space on its disk, and check its log"
        found.append(fault("persistence", "its last write to disk failed: it may refuse writes", mend))
    return found


def _speed(broker: Broker, server: Server) -> list[Finding]:
    if server.seconds * _TRIPS <= broker.lease:
        return []
    text = f"a round trip takes {server.seconds:.2f} s, and a lease {broker.lease:g} s"
    return [
        warning("latency", text, "bring workers and Redis closer together, or raise RETOUCH_LEASE_SECONDS")
    ]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
