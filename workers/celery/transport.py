"""Celery's way to Redis without acknowledgements: a message that was taken is gone, and nothing is written for it."""

from __future__ import annotations

from typing import Any, Final

from kombu.transport import redis

#: As Celery's setting ``broker_transport`` names it.
TRANSPORT: Final = "workers.celery.transport:Transport"


class Unacknowledged(redis.QoS):
    """Keeps no account of messages: the lease is the only redelivery.

    kombu notes each message in Redis after it has taken it, and strikes it out a moment later. A Redis that is full
    takes no note: the consumer failed of it, with the message lost all the same. What is lost the sweep publishes.
    """

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note a message that was taken."""

    def ack(self, delivery_tag: str) -> None:
        """Strike it out."""

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put it back."""

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Put back what others have taken and not struck out."""


class Channel(redis.Channel):
    """Takes and gives messages."""

    QoS = Unacknowledged


class Transport(redis.Transport):
    """The transport of ``redis://`` and ``rediss://``."""

    Channel = Channel
