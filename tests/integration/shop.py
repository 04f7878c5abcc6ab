"""A shop's folder with pictures, a manifest and the installed command, as tests use them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.gemini.emulator import read_mark
from tests.forkserver import Command

KEY = "test-key-that-must-not-leak"


class Shop:
    """A working folder; ``retouch`` is called in it as a user would, in a process of its own."""

    def __init__(self, folder: Path, url: str, **environment: str) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.started: list[Command] = []
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RETOUCH_", "GEMINI_", "GOOGLE_")) and "proxy" not in name.lower()
        }
        self.environment = kept | {
            "GEMINI_API_KEY": KEY,
            "GOOGLE_GEMINI_BASE_URL": url,
            "RETOUCH_STORE": str(folder / "store"),
            **environment,
        }

    def manifest(self, rows: int, name: str = "shop.csv", prompt: str = "make it blue") -> Path:
        """A manifest of *rows* rows, each with a picture of its own and its id in the prompt as ``[[token]]``."""
        path = self.folder / name
        lines = ["id,image,prompt"]
        for row in range(1, rows + 1):
            picture = self.folder / f"p{row}.png"
            if not picture.exists():
                Image.new("RGB", (64, 48), (row % 256, row * 7 % 256, 99)).save(picture)
            lines.append(f"r{row},{picture.name},{prompt} [[r{row}]]")
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, *words: str) -> Command:
        """``retouch`` *words* in the background."""
        command = Command(words, self.folder, self.environment)
        self.started.append(command)
        return command

    def retouch(self, *words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """``retouch`` *words* to its end."""
        command = Command(words, self.folder, self.environment, stdin or "")
        out, err = command.to_its_end()
        return subprocess.CompletedProcess(words, command.wait(), out, err)

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """``retouch run shop.csv --out out`` and *words*."""
        return self.retouch("run", "shop.csv", "--out", "out", "--json", *words, **options)

    def records(self) -> list[dict[str, Any]]:
        """The records of the job in ``out``."""
        return [json.loads(line) for line in (self.out / "results.jsonl").read_text().splitlines()]

    def check_pictures(self) -> None:
        """Every picture that is recorded is there, carries the mark of its row, and no other is there."""
        named = set()
        for record in self.records():
            for picture in record["images"]:
                data = (self.out / picture["path"]).read_bytes()
                assert len(data) == picture["bytes"]
                assert read_mark(data) == record["id"]
                named.add(Path(picture["path"]).name)
        there = (
            {path.name for path in (self.out / "images").iterdir()}
            if (self.out / "images").exists()
            else set()
        )
        assert there == named


def status_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The status object on standard output, which holds nothing else."""
    return json.loads(done.stdout)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return when *condition* holds; an assertion fails when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
