"""Celery's Redis transport without acknowledgements: a message that was taken is gone, and leaves no trace."""

from __future__ import annotations

from typing import Any, Final

from kombu.transport import redis

#: As Celery's setting ``broker_transport`` names it.
TRANSPORT: Final = "workers.celery.transport:Transport"


class Unacknowledged(redis.QoS):
    """Keeps no account of messages: the lease is the only redelivery.

    kombu records each message in Redis after taking it and deletes the record a moment later. A full Redis refuses
    the record, which crashed the consumer and lost the message anyway. The sweep publishes what is lost.
    """

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record no message that was taken."""

    def ack(self, delivery_tag: str) -> None:
        """Delete no record: there is none."""

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put nothing back."""

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Put back nothing that others have taken."""


class Channel(redis.Channel):
    """Takes and gives messages."""

    QoS = Unacknowledged


class Transport(redis.Transport):
    """The transport of ``redis://`` and ``rediss://``."""

    Channel = Channel
