"""``python -m tests.integration.stuck WORDS``: ``retouch WORDS`` whose loop stands still from SIGUSR1 to SIGUSR2.

It is as with a library that waits without giving way: the process lives, its threads answer, and nothing goes on.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading

from jobs.cli.app import main

GO_ON = threading.Event()


def _stand_still(*_: object) -> None:
    loops = [found for found in gc.get_objects() if isinstance(found, asyncio.AbstractEventLoop)]
    (running,) = [loop for loop in loops if loop.is_running()]
    running.call_soon_threadsafe(GO_ON.wait)


if __name__ == "__main__":
    os.environ["RETOUCH_DOTENV"] = ""
    signal.signal(signal.SIGUSR1, _stand_still)
    signal.signal(signal.SIGUSR2, lambda *_: GO_ON.set())
    main()
