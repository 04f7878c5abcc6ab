"""The command ``retouch``; ``python -m jobs`` for those who have no script of that name on their path."""

import os
import signal


def main() -> None:
    """The console script. During the imports nothing needs to be ended, and Ctrl-C shows no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    # Takes a third of a second, in which somebody may press Ctrl-C.
    from jobs.cli import app  # noqa: PLC0415

    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app.main()


def _leave(*_: object) -> None:
    os._exit(130)


if __name__ == "__main__":
    main()
