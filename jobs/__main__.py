"""The command ``retouch``; ``python -m jobs`` for those who have no script of that name on their path."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import NoReturn


def main() -> NoReturn:
    """The console script. While it imports the rest there is nothing to be ended, and Ctrl-C shows no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _gone)
        from jobs import cli  # noqa: PLC0415 - a third of a second, in which somebody may change their mind

        signal.signal(signal.SIGINT, signal.default_int_handler)
    else:
        from jobs import cli  # noqa: PLC0415
    cli.main()


def _gone(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(130)


if __name__ == "__main__":
    main()
