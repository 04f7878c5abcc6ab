"""What all jobs of a worker process share."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.engine.jobrun import Caller
from pipeline.gemini.client import Client
from pipeline.local import DECODERS
from pipeline.ports import Observer
from pipeline.reuse import Reuse
from pipeline.store import open_store
from pipeline.urls.fetch import Fetcher
from workers.settings import Settings
from workers.shared.board import Board, worker_name
from workers.shared.budget import Purse
from workers.shared.claims import RedisClaims
from workers.shared.connection import connect


@dataclass(kw_only=True)
class Tools:
    """The process's connections and pools: Redis, the API, downloads, decoder threads, slots.

    Attributes:
        slots: bounds the calls in flight over all jobs.
        scratch: folder for pictures that are fetched or converted.
        reuse: the edits that the store has paid for already.
        observers: metrics and traces, which follow rows and calls.
        purses: the money of each job that this process has worked on; a few hundred bytes each.
    """

    settings: Settings
    board: Board
    client: Caller
    fetcher: Fetcher
    decoders: Executor
    slots: asyncio.Semaphore
    scratch: Path
    reuse: Reuse
    observers: tuple[Observer, ...] = ()
    purses: dict[str, Purse] = field(default_factory=dict)


@asynccontextmanager
async def open_tools(settings: Settings, observers: tuple[Observer, ...] = ()) -> AsyncIterator[Tools]:
    """The tools of this process, closed at the end of the block."""
    redis = connect(settings.redis_url)
    board = Board(redis, worker_name())
    decoders = ThreadPoolExecutor(DECODERS, "decode")
    try:
        with tempfile.TemporaryDirectory(prefix="retouch-worker-") as scratch:
            async with (
                Client(key=settings.key, base_url=settings.base_url, max_in_flight=settings.slots) as client,
                Fetcher() as fetcher,
            ):
                yield Tools(
                    settings=settings,
                    board=board,
                    client=client,
                    fetcher=fetcher,
                    decoders=decoders,
                    slots=asyncio.Semaphore(settings.slots),
                    scratch=Path(scratch),
                    reuse=Reuse(open_store(settings.store), RedisClaims(board)),
                    observers=observers,
                )
    finally:
        decoders.shutdown(wait=False, cancel_futures=True)
        await redis.aclose()
