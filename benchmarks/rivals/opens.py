"""``retouch`` in a process that notes every file it opens below a folder: ``NOTES FOLDER retouch's words``.

Python says of each file that it is about to be opened; retouch's local storage opens files in no other way. A file
that turns out not to be there counts too: it was looked for.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def main(notes: str, folder: str, words: list[str]) -> None:
    opened: list[tuple[str, bool]] = []

    def hear(event: str, details: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(details[0], str | bytes | os.PathLike):
            path = str(Path.cwd() / os.fsdecode(details[0]))
            if path.startswith(folder + os.sep):
                opened.append((path, details[2] & os.O_ACCMODE == os.O_RDONLY))
        elif event in ("os.listdir", "os.scandir") and str(details[0]).startswith(folder):
            opened.append((f"{details[0]}/", True))

    sys.addaudithook(hear)

    def note() -> None:
        found = list(opened)
        with open(notes, "w") as file:
            json.dump(found, file)

    atexit.register(note)
    sys.argv = ["retouch", *words]
    runpy.run_module("jobs", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
