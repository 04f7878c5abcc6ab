"""Temporary files of processes that have died, which nobody else would ever remove."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

#: The folder for files that are being written; on the same file system as the results, never listed.
TEMPORARY = ".retouch/tmp"
#: Seconds after which even a file of another machine's process counts as left over.
_OLD = 86_400.0


def temporary_name() -> str:
    """A unique name that tells which process uses it."""
    return f"{_machine()}.{os.getpid()}.{secrets.token_hex(12)}"


def remove_leftovers(folder: Path | None) -> None:
    """Remove the temporary files of dead processes from the store at *folder*; ``None``: an object store has none."""
    if folder is None:
        return
    with suppress(OSError), os.scandir(folder / TEMPORARY) as entries:
        for entry in entries:
            with suppress(OSError):
                if _dead(entry.name) or entry.stat().st_mtime < time.time() - _OLD:
                    Path(entry.path).unlink()


def _dead(name: str) -> bool:
    machine, _, rest = name.rpartition(".")[0].rpartition(".")
    if machine != _machine() or not rest.isdecimal():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    return os.uname().nodename.replace("/", "_")
