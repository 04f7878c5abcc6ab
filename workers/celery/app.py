"""The Celery application: one table of settings, each with its reason, and how messages are published."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

# Publishing imports these at its first time; a start with work waiting did it in two threads, and deadlocked.
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
        # The lease is the only redelivery: no message is acknowledged (transport.py), no visibility timeout is
        # waited for, and nothing is delivered again behind the lease's back.
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        # A worker takes a message only when a thread is free: what lies in one worker's memory, others cannot take.
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        # The shards are on an asyncio loop; a thread waits for one shard each. Not forked: one client, one loop.
        "worker_pool": "workers.celery.pool:TaskPool",
        # Direct to one list, without an exchange whose bindings a FLUSHALL would take away with every message.
        "task_default_queue": QUEUE,
        "task_default_exchange": "",
        "task_default_routing_key": QUEUE,
        "broker_transport_options": {
            # Our keys are told from those of others in the same database.
            "global_keyprefix": BROKER_PREFIX,
            # Two lists: the first shards of a new job go before the hints of those that have begun.
            "priority_steps": [URGENT, ORDINARY],
            # A Redis that is gone is noticed within seconds, also when nobody closes the connection.
            "socket_connect_timeout": REACH,
            "socket_timeout": 30,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # True would send a write again of which nobody knows whether it was done.
            "retry_on_timeout": False,
        },
        # A worker outlives its Redis: it waits for it, at the start and for ever after.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Ours waits two seconds at most between two tries to reach a Redis that was away, not thirty.
        "worker_consumer": "workers.celery.consumer:Consumer",
        # Full number of messages at once after a reconnect: a thread that is free is counted by the setting above.
        "worker_enable_prefetch_count_reduction": False,
        # A Redis that is full or being loaded answers, with an error: that is waited for too.
        "broker_channel_error_retry": True,
        # A shard that runs is not cut off when the broker is away: its lease says whether it may go on.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Nobody sends remote commands, and nobody listens to events unless `worker --events` says so; each costs a
        # connection, and events some messages per task.
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

#: Options of the one task, as they must be in effect; Celery would accept a misspelt one in silence.
TASK_OPTIONS: Final = MappingProxyType(
    {
        "name": SHARD_TASK,
        "ignore_result": True,
        "acks_late": False,
        "reject_on_worker_lost": False,
        # What fails is given back to the sweep, which publishes it again.
        "max_retries": 0,
        "serializer": "json",
        # Celery's time limits do nothing under threads; each call, wait and lease has an end of its own.
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
        # As redis-py does for our other connections, unless the URL says otherwise; Celery would trust anybody.
        app.conf.broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return app


def publish(app: Celery, hints: Iterable[Hint]) -> None:
    """Publish a message for each of *hints*.

    Raises:
        BrokerError: Redis does not take them; the sweep publishes them again.
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
