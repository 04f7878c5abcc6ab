"""Which job, shard and row the running task is working on: for log lines, metrics and traces.

Every asyncio task has its own context, so concurrent rows are not mixed up.
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
    """What a task is working on; ``None`` for what does not apply.

    Attributes:
        model: the row's.
        began: when the work began, in nanoseconds since the epoch.
        at_end: called when the work ends, however it ends.
    """

    job: str | None = None
    shard: int | None = None
    row: int | None = None
    model: str | None = None
    began: int = field(default_factory=time.time_ns)
    at_end: list[Callable[[], None]] = field(default_factory=list)


_scope: ContextVar[TaskContext | None] = ContextVar("scope", default=None)


def current() -> TaskContext | None:
    """What the running task is working on, if anything."""
    return _scope.get()


@contextlib.contextmanager
def concerning(scope: TaskContext) -> Iterator[None]:
    """Set the context of the block, and of the tasks that it starts, to *scope*."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)
        for end in scope.at_end:
            end()


async def in_context(scope: TaskContext, work: Coroutine[Any, Any, T]) -> T:
    """The result of *work*, run with *scope* as its context."""
    with concerning(scope):
        return await work
