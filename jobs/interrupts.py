"""How a job in this process is interrupted: Ctrl-C, SIGTERM, and a terminal that is closed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from jobs import output
from jobs.live import View
from pipeline.local import LocalJob


@contextlib.contextmanager
def interruptible(job: LocalJob, view: View) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets calls in flight finish; the second cancels the task of the block.

    Closing a terminal sends SIGHUP to each of its processes, and some shells send it again: it lets calls in flight
    finish, however often it comes. ``nohup`` has it ignored, and so it stays.
    """
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def interrupt() -> None:
        if job.interrupt():
            view.say(
                "Stopping: waiting for calls in flight, which are already paid for; Ctrl-C again ends at once."
            )
        elif main is not None:
            main.cancel()

    def hang_up() -> None:
        output.let_go_of_the_terminal()
        job.interrupt()

    handlers = {signal.SIGINT: interrupt, signal.SIGTERM: interrupt}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers[signal.SIGHUP] = hang_up
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
