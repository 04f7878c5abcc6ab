"""A disk of its own for a job's folder: a small tmpfs that can be filled up and made read-only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.chaos.waiting import until


class Disk:
    """A mounted tmpfs of *size*, for instance ``8m``."""

    def __init__(self, folder: Path, size: str = "8m") -> None:
        self.folder = folder
        folder.mkdir()
        mounted = self._mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs")
        if mounted.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                pass

    def make_room(self) -> None:
        (self.folder / "ballast").unlink()

    def read_only(self) -> None:
        """Let nobody write; waits for a moment in which no file is open for writing."""
        until(lambda: self._remount("ro"), 20, "a moment in which the disk can be made read-only")

    def writable(self) -> None:
        assert self._remount("rw")

    def take_away(self) -> None:
        """Unmount it: what is there then is the empty folder that it was mounted on."""
        kept = self.folder.with_name("kept")
        kept.mkdir(exist_ok=True)
        assert not subprocess.run(["mount", "--bind", str(self.folder), str(kept)], check=False).returncode
        assert not subprocess.run(["umount", "--lazy", str(self.folder)], check=False).returncode

    def bring_back(self) -> None:
        kept = self.folder.with_name("kept")
        assert not subprocess.run(["mount", "--bind", str(kept), str(self.folder)], check=False).returncode
        assert not subprocess.run(["umount", "--lazy", str(kept)], check=False).returncode

    def close(self) -> None:
        for folder in (self.folder, self.folder.with_name("kept")):
            subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)

    def _remount(self, how: str) -> bool:
        return not self._mount("-o", f"remount,{how}").returncode

    def _mount(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["mount", *words, str(self.folder)], check=False, capture_output=True, text=True
        )


def can_mount() -> bool:
    return os.geteuid() == 0 and Path("/bin/mount").exists()
