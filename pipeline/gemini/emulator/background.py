"""The emulator in a thread of its own, and as a coroutine that a command runs to its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipeline.gemini.emulator.canned import CannedServer
from pipeline.gemini.emulator.options import CannedOptions, Options
from pipeline.gemini.emulator.server import Emulator


async def serve(options: Options | CannedOptions, announce: Callable[[str], None]) -> None:
    """Serve until cancelled; ``announce`` is told the URL once calls are taken."""
    server = CannedServer(options) if isinstance(options, CannedOptions) else Emulator(options)
    async with server:
        announce(server.url)
        await asyncio.Event().wait()


@contextmanager
def in_thread(options: Options | None = None) -> Iterator[Emulator]:
    """An emulator on a loop in a thread, for code that blocks; its ledger and rules may be used from here."""
    emulator = Emulator(options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="emulator-loop", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(emulator.__aenter__(), loop).result()
        try:
            yield emulator
        finally:
            asyncio.run_coroutine_threadsafe(emulator.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
