"""Waits are on conditions, and each has an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_GLANCE = 0.02


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "") -> float:
    """Return when *condition* holds: the seconds that it took. Fails after *seconds*, and says *what* was awaited."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        assert waited < seconds, f"waited {waited:.0f} s for {what or 'a condition'}"
        time.sleep(_GLANCE)
    return time.monotonic() - began


def holds_for(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether *condition* holds all the time for *seconds*."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(_GLANCE)
    return True


def lasts(seconds: float) -> None:
    """Let a trouble last for *seconds*: the one wait that is for nothing but time."""
    time.sleep(seconds)
