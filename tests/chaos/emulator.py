"""The emulator as a process of its own. It outlives every worker, and its ledger is the judge."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.processes import DIE_WITH_US
from tests.chaos.waiting import until

_REPOSITORY = Path(__file__).parents[2]


class Api:
    """What tests ask of the emulator, over its own HTTP interface."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=20)

    def order(self, *rules: dict[str, Any]) -> None:
        """Replace the rules: ``order({"latency": "0.5"})``."""
        self._http.put("/rules", json={"rules": rules}).raise_for_status()

    def begin(self, *rules: dict[str, Any]) -> None:
        """An empty ledger and *rules*, for a new test."""
        self.at_rest()
        self._http.delete("/ledger").raise_for_status()
        self.order(*rules)

    def summary(self) -> dict[str, Any]:
        return dict(self._http.get("/ledger/summary").raise_for_status().json())

    def tokens(self) -> dict[str, dict[str, int]]:
        """What became of the calls of each row: calls, paid, pictures, answered."""
        return dict(self._http.get("/ledger/tokens").raise_for_status().json())

    def answered(self) -> int:
        return int(self.summary()["answered"])

    def at_rest(self) -> None:
        """Wait until no call is open: only then the ledger says what was paid for."""
        until(lambda: not self.summary()["in_flight"], 20, "the last calls to be entered in the ledger")

    def close(self) -> None:
        self._http.close()


@contextmanager
def emulator_process() -> Iterator[Api]:
    """An emulator that makes small pictures."""
    process = subprocess.Popen(
        [
            *DIE_WITH_US,
            sys.executable,
            "-m",
            "pipeline.gemini.emulator",
            "--port",
            "0",
            "--format",
            "jpeg",
            "--shrink",
            "6",
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_REPOSITORY,
    )
    try:
        assert process.stdout is not None
        api = Api(process.stdout.readline().strip())
        yield api
        api.close()
    finally:
        process.kill()
        process.communicate()
