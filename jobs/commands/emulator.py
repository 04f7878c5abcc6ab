"""``retouch emulator``: serves the local stand-in for the API."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Any

from jobs import output
from pipeline.gemini.emulator import CannedOptions, Options
from pipeline.gemini.emulator import serve as serve_emulator
from pipeline.gemini.emulator.__main__ import options_of

_PATHS = ("rules", "ledger", "certificate", "private_key")


def serve(**values: Any) -> None:
    """Serve until interrupted, which is the normal end."""
    paths = {name: Path(values[name]) for name in _PATHS if values[name]}
    options = options_of(argparse.Namespace(**{**values, **paths}))
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_serve(options))


async def _serve(options: Options | CannedOptions) -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await serve_emulator(options, _announce)


def _announce(url: str) -> None:
    output.write_line(url)
    output.flush()
    output.say(
        f"Give it to retouch: GOOGLE_GEMINI_BASE_URL={url} GEMINI_API_KEY=any; its calls: {url}/ledger"
    )
