"""The command, as a person types it: a process of its own, without a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forkserver import Command

#: Beside the interpreter, where the installation has put it.
RETOUCH = Path(sys.executable).with_name("retouch")

KEY = "a-key-that-nobody-may-see"


@dataclass
class Typed:
    """What came of a command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        return json.loads(self.out)


class Shell:
    """Types commands in *folder*, in an environment without settings but those given."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RETOUCH_", "GEMINI_", "GOOGLE_")) and "proxy" not in name.lower()
        }
        self.environment = kept | environment

    def type(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Typed:
        """``retouch`` *words*, to its end."""
        command = Command(words, self.folder, self.environment | dict(env or {}), stdin)
        out, err = command.to_its_end()
        return Typed(command.wait(), out, err)
