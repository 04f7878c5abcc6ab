"""Does what a page of the documentation says, as a reader with a terminal or two would.

- ``sh``: is run, in one folder, with what was exported before. Its last line may end in ``# exit code N``.
- ``sh`` with a title such as "second terminal": is started and goes on.
- ``text`` after it: the lines that it prints, in this order, among others; ``…`` stands for anything.
- any block with another title: a file of that name.
- ``console`` and all others: are shown alone; so is what begins with a word of *left_out*.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.markdown import Block, blocks

ELSEWHERE = " terminal"

_CODE = re.compile(r"# exit code (\d+)\s*\Z")
_EXPORT = re.compile(r"^export (.*)$", re.MULTILINE)
_ASSIGNED = re.compile(r"(\w+)=(\S*)")


class Reader:
    """A reader of *page*, in *folder*; *meant* says what stands in this world for a text of the page."""

    def __init__(
        self, page: Path, folder: Path, meant: Mapping[str, str], left_out: tuple[str, ...] = ()
    ) -> None:
        self.page = page
        self.left_out = left_out
        self.folder = folder
        self.meant = meant
        self.environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self.said = ""
        self._running: list[Path] = []

    def follow(self) -> int:
        """Do all that the page says; how many blocks were run."""
        ran = 0
        with ExitStack() as stack:
            for block in map(self._as_meant, blocks(self.page)):
                if self.left_out and block.text.startswith(self.left_out):
                    continue
                if block.title and block.title.endswith(ELSEWHERE):
                    self._start(block, stack)
                elif block.title:
                    (self.folder / block.title).write_text(block.text)
                elif block.language == "sh":
                    self._run(block)
                elif block.language == "text":
                    self._compare(block)
                ran += block.language == "sh"
        return ran

    def _as_meant(self, block: Block) -> Block:
        text = block.text
        for written, meant in self.meant.items():
            text = text.replace(written, meant)
        return block._replace(text=text)

    def _start(self, block: Block, stack: ExitStack) -> None:
        log = self.folder.parent / f"terminal-{block.line}.log"
        process = subprocess.Popen(
            ["bash", "-c", re.sub(r"^(?=retouch |moto_server )", "exec ", block.text, flags=re.MULTILINE)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(log.open("wb")),
            stderr=subprocess.STDOUT,
        )
        stack.enter_context(process)
        stack.callback(process.terminate)
        self._running.append(log)
        self.said = ""

    def _run(self, block: Block) -> None:
        expected = _CODE.search(block.text)
        self.run(block.text, code=int(expected[1] if expected else 0), where=f"{self.page.name}:{block.line}")
        for line in _EXPORT.findall(block.text):
            self.environment |= dict(_ASSIGNED.findall(line))

    def run(self, commands: str, *, code: int = 0, where: str = "") -> None:
        """Run *commands*, the last of which ends with *code*."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"{where}\n{done.stdout}"
        self.said, self._running = done.stdout, []

    def _compare(self, block: Block) -> None:
        """What a block prints is there when it has ended; of one that goes on it is waited for."""
        where = f"{self.page.name}:{block.line}"
        pattern = ".*".join(_pattern(line) for line in block.text.splitlines())
        until = time.monotonic() + 30
        while not re.search(pattern, self._heard(), re.DOTALL):
            goes_on = bool(self._running) and time.monotonic() < until
            assert goes_on, f"{where}: not said:\n{block.text}\nbut\n{self._heard()}"
            time.sleep(0.1)
        self._running = []

    def _heard(self) -> str:
        return self._running[-1].read_text() if self._running else self.said


def _pattern(line: str) -> str:
    return r"[^\n]*".join(re.escape(part.strip()) for part in line.split("…"))
