"""The Celery application: one table of settings, each with its reason, and how messages are published."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

# The first publishing imports these: with work waiting at the start, two threads did so at once and deadlocked.
import celery.app.amqp
import celery.app.events
import celery.backends.base
import celery.events.receiver  # noqa: F401
from celery import Celery
from kombu.exceptions import OperationalError

from pipeline.errors import BrokerError
from workers.celery.transport import TRANSPORT
from workers.shared.board_types import Hint
from workers.shared.connection import REACH
from workers.shared.keys import BROKER_PREFIX, ORDINARY, QUEUE, URGENT

#: The one task: settle a shard of a job.
SHARD_TASK: Final = "retouch.shard"

SETTINGS: Final = MappingProxyType(
    {
        # JSON alone: a broker that others can write to must not be able to run code here.
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        # A message says (job, shard). What came of it is in the job folder: no result backend, no group, no chord.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # The lease is the only redelivery: no message is acknowledged (transport.py), so that none is delivered
        # again after a visibility timeout, behind the lease's back.
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        # A worker takes a message only when a thread is free: others cannot take what is in its memory.
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        # Shards run on one asyncio loop with one client, so nothing is forked; each thread waits for one shard.
        "worker_pool": "workers.celery.pool:TaskPool",
        # Straight to one list: a FLUSHALL would delete the bindings of an exchange, and every message after it.
        "task_default_queue": QUEUE,
        "task_default_exchange": "",
        "task_default_routing_key": QUEUE,
        "broker_transport_options": {
            # Keeps our keys apart from those of others in the same database.
            "global_keyprefix": BROKER_PREFIX,
            # Two lists: the first shards of a new job go before those of jobs that have begun.
            "priority_steps": [URGENT, ORDINARY],
            # A Redis that is gone is noticed within seconds, also when nobody closes the connection.
            "socket_connect_timeout": REACH,
            "socket_timeout": 30,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # True would repeat a write of which nobody knows whether it was done.
            "retry_on_timeout": False,
        },
        # A worker outlives its Redis: it waits for it, at the start and later, without limit.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Ours waits at most two seconds between two attempts to reconnect, not thirty.
        "worker_consumer": "workers.celery.consumer:Consumer",
        # After a reconnect, as many messages as before: worker_disable_prefetch already counts the free threads.
        "worker_enable_prefetch_count_reduction": False,
        # A Redis that is full, or still loading its data, answers with an error: wait for that, too.
        "broker_channel_error_retry": True,
        # A running shard is not cut off when the broker is away: its lease decides whether it may continue.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Nobody sends remote commands or, without `worker --events`, listens to events; each costs a connection,
        # and events some messages per task.
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        # Log lines are ours, and go where the command says.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Times in messages and logs are UTC, as everywhere here.
        "enable_utc": True,
        "timezone": "UTC",
    }
)

#: Options of the one task. A test compares them with those in effect, since Celery accepts a misspelt one silently.
TASK_OPTIONS: Final = MappingProxyType(
    {
        "name": SHARD_TASK,
        "ignore_result": True,
        "acks_late": False,
        "reject_on_worker_lost": False,
        # A shard that fails goes back to the sweep, which publishes it again.
        "max_retries": 0,
        "serializer": "json",
        # Celery's time limits do nothing with threads; each call, wait and lease has a limit of its own.
        "time_limit": None,
        "soft_time_limit": None,
    }
)


def make_app(redis_url: str) -> Celery:
    """The application on the broker at *redis_url*."""
    app = Celery("retouch", broker=redis_url, set_as_current=False)
    app.conf.update(**SETTINGS)
    if redis_url.startswith(("redis://", "rediss://")):
        app.conf.broker_transport = TRANSPORT
    if redis_url.startswith("rediss://"):
        # As redis-py does by default for our other connections; Celery would accept any certificate.
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return app


def publish(app: Celery, hints: Iterable[Hint]) -> None:
    """Publish a message for each of *hints*.

    Raises:
        BrokerError: Redis does not accept them; the sweep publishes them again.
    """
    try:
        with app.producer_pool.acquire(block=True) as producer:
            for hint in hints:
                app.send_task(
                    SHARD_TASK,
                    args=(hint.job, hint.shard),
                    producer=producer,
                    queue=QUEUE,
                    priority=URGENT if hint.urgent else ORDINARY,
                    retry=False,
                )
    except (OperationalError, OSError) as error:
        raise BrokerError(f"the broker does not take messages: {error}") from error
