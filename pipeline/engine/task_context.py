"""Which job, shard and row the running task is at work on: for log lines, metrics and traces.

Every asyncio task has a context of its own, so that a thousand rows at a time do not mix.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a task is at work on; ``None`` where it is not about one.

    Attributes:
        model: the row's.
        began: when the work began, in nanoseconds since the epoch.
        at_end: called when the work is over, whatever came of it.
    """

    job: str | None = None
    shard: int | None = None
    row: int | None = None
    model: str | None = None
    began: int = field(default_factory=time.time_ns)
    at_end: list[Callable[[], None]] = field(default_factory=list)


_scope: ContextVar[TaskContext | None] = ContextVar("scope", default=None)


def current() -> TaskContext | None:
    """What the running task is at work on, if it is at work on anything."""
    return _scope.get()


@contextlib.contextmanager
def concerning(scope: TaskContext) -> Iterator[None]:
    """The block is about *scope*, and so are the tasks that it starts."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
        for end in scope.at_end:
            end()


async def in_context(scope: TaskContext, work: Coroutine[Any, Any, T]) -> T:
    """The result of *work*, which is about *scope*."""
    with concerning(scope):
        return await work
