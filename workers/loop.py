"""The one event loop of a worker process, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs the coroutines that other threads submit; used as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: after a second signal the process must not wait for calls.
        self._thread = threading.Thread(target=self._run, name="retouch-loop", daemon=True)

    def __enter__(self) -> LoopThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* on the loop and wait for its result, which blocks the calling thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def soon(self, callback: Callable[[], None]) -> None:
        """Schedule *callback* on the loop without waiting for it; safe in a signal handler."""
        self._loop.call_soon_threadsafe(callback)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
