"""``retouch up``: the whole stack on one machine, as child processes of one command.

These are a Redis-compatible server that keeps its data on disk, a worker and a scheduler (:mod:`jobs.stack`).
"""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from jobs import environment
from jobs.children import Child, redis_server, retouch
from jobs.stack import Part, Stack
from jobs.standing import registry
from pipeline.errors import JobError, UsageError
from pipeline.gemini.access import access
from pipeline.job.runlock import file_lock

#: The server's data, relative to the store's folder.
DATA = ".retouch/redis"
_HERE = ("localhost", "127.0.0.1", "::1")


def up(*, max_in_flight: int) -> int:
    """Run the stack until told to stop; the exit code: 0, 130 after Ctrl-C, 1 if a part kept failing."""
    access()
    url = environment.redis_url()
    port = _port(url)
    data = _data_folder()
    holder = f"{data}: `retouch up` already runs for this store, in {{}}; stop it there with Ctrl-C"
    with file_lock(data / "up.lock", holder.format):
        _check_port(port)
        return Stack(url, data, _parts(url, data, port, max_in_flight)).run()


def _parts(url: str, data: Path, port: int, slots: int) -> list[Part]:
    variables = dict(os.environ) | {"RETOUCH_REDIS_URL": url} | _verbosity()
    # The port for metrics is the worker's; whether the scheduler runs is seen here.
    unwatched = variables | {"RETOUCH_METRICS_PORT": ""}
    return [
        Part("server", lambda: Child("server", redis_server(data, port), variables)),
        Part("worker", lambda: Child("worker", retouch("worker", "--max-in-flight", str(slots)), variables)),
        Part("scheduler", lambda: Child("scheduler", retouch("scheduler"), unwatched)),
    ]


def _port(url: str) -> int:
    """The port of a server on this machine.

    Raises:
        UsageError: *url* is not that of a server that could be started here.
    """
    parts = urlsplit(url)
    if parts.scheme != "redis" or parts.hostname not in _HERE or parts.password:
        raise UsageError(
            f"RETOUCH_REDIS_URL names {parts.hostname or 'no machine'}: `retouch up` starts a server of its own "
            "on this machine, without a password; unset it, or set it to redis://localhost:PORT/0"
        )
    return parts.port or 6379


def _check_port(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(
                f"port {port} of this machine is in use ({error.strerror}): if that is a Redis, start "
                f"`retouch worker` and `retouch scheduler` on it; else choose a port for all commands: "
                f"RETOUCH_REDIS_URL=redis://localhost:{port + 1}/0"
            ) from error


def _data_folder() -> Path:
    """Where the server keeps its data: inside the store, which must be a folder on this machine.

    Raises:
        JobError: the folder cannot be created.
        UsageError: the store is not on this machine.
    """
    store = registry()
    if store.folder is None:
        raise UsageError(
            f"{store.url} is not a folder on this machine, where the server could keep its data: start a Redis, "
            "`retouch worker` and `retouch scheduler`"
        )
    data = store.folder / DATA
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(
            f"{data}: cannot be created ({error.strerror}); choose another RETOUCH_STORE"
        ) from error
    return data


def _verbosity() -> dict[str, str]:
    level = logging.getLogger("retouch").getEffectiveLevel()
    return {
        **({"RETOUCH_VERBOSE": "1"} if level <= logging.INFO else {}),
        **({"RETOUCH_DEBUG": "1"} if level <= logging.DEBUG else {}),
    }
