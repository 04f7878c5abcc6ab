"""Connections to Redis, made only here, and its errors as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pipeline.errors import BrokerError

#: Seconds after which Redis counts as out of reach; well within a lease, so that a renewal can be tried again.
REACH = 3.0
#: Connections of a process: few, since most commands take less than a millisecond.
_CONNECTIONS = 32


def connect(url: str) -> Redis:
    """An asynchronous client; callers queue for a connection when all are in use."""
    with _sentences(url):
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=REACH,
            socket_timeout=REACH,
            socket_connect_timeout=REACH,
            socket_keepalive=True,
            health_check_interval=25,
            decode_responses=True,
            # A second attempt hides a connection that was closed while idle; waiting longer is up to the caller.
            retry=Retry(NoBackoff(), 1),
        )
    # from_pool: closing the client closes its connections too.
    return Redis.from_pool(pool)


def check_redis(url: str) -> None:
    """Return when Redis answers at *url*.

    Raises:
        BrokerError: it does not; the sentence says how to mend it.
    """
    with _sentences(url):
        client = redis.Redis.from_url(url, socket_timeout=REACH, socket_connect_timeout=REACH)
        try:
            client.ping()
        finally:
            client.close()


@contextlib.contextmanager
def reaching(client: Redis) -> Iterator[None]:
    """Turn what Redis raises into :class:`BrokerError`."""
    options = client.connection_pool.connection_kwargs
    where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    try:
        yield
    except (RedisError, OSError) as error:
        raise BrokerError(f"Redis at {where} cannot be used: {str(error) or type(error).__name__}") from error


@contextlib.contextmanager
def _sentences(url: str) -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, ValueError) as error:
        raise BrokerError(
            f"Redis at {without_password(url)} is not available ({error}): start one with `retouch up`, "
            "or set RETOUCH_REDIS_URL"
        ) from error


def without_password(url: str) -> str:
    """*url* as it may be shown."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="").geturl()
