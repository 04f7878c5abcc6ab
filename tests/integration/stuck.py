"""``python -m tests.integration.stuck WORDS``: ``retouch WORDS`` whose event loop stands still on SIGUSR1.

It is as with a library that waits without giving way: the process lives, its threads answer, and nothing goes on.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time

from jobs.cli import main

#: Seconds for which it stands still: longer than a loop may.
STILL = 34.0


def _stand_still(*_: object) -> None:
    loops = [found for found in gc.get_objects() if isinstance(found, asyncio.AbstractEventLoop)]
    (running,) = [loop for loop in loops if loop.is_running()]
    running.call_soon_threadsafe(time.sleep, STILL)


if __name__ == "__main__":
    os.environ["RETOUCH_DOTENV"] = ""
    signal.signal(signal.SIGUSR1, _stand_still)
    main()
