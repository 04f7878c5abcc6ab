"""Files that were being written when their process died: nobody else will ever finish or remove them."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

#: Folder for files that are being written; on the same file system as the results, never listed.
TEMPORARY = ".retouch/tmp"
#: Seconds after which even a file of another machine's process is one.
_OLD = 86_400.0


def temporary_name() -> str:
    """A name that nobody else takes, and that tells whose it is."""
    return f"{_machine()}.{os.getpid()}.{secrets.token_hex(12)}"


def remove_leftovers(folder: Path | None) -> None:
    """Remove what dead processes have left in the store at *folder*; an object store (``None``) has no such files."""
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
