"""Answers that do not arrive in order: slow, hanging, cut, reset.

All but ``reset_before`` are paid for: a client that loses the answer is charged nevertheless (gemini-api.md 0.8).
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.gemini.emulator.answers.edited import picture
from pipeline.gemini.emulator.answers.reply import Delivery, Order, Reply


def slow_body(order: Order, *, bytes_per_second: int = 200_000) -> Reply:
    """The picture, sent slowly."""
    return replace(picture(order), delivery=Delivery.SLOW, rate=bytes_per_second)


def hang(_order: Order) -> Reply:
    """The request is read, but never answered."""
    return Reply(delivery=Delivery.HANG, paid=True, pictures=1)


def cut_body(order: Order, *, fraction: float = 0.5) -> Reply:
    """The length is announced and a part is sent, then the connection is closed."""
    return replace(picture(order), delivery=Delivery.CUT, fraction=fraction)


def reset(_order: Order) -> Reply:
    """The request is read completely, then the connection is reset without an answer."""
    return Reply(delivery=Delivery.RESET, paid=True, pictures=1)


def reset_before(_order: Order) -> Reply:
    """The connection is reset before the body is read, so that nothing is paid."""
    return Reply(delivery=Delivery.RESET)
