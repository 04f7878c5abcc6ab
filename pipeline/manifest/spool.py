"""Puts standard input into a file, because it can only be read once, and a resumed job reads it again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import ManifestError, StoreError


def spool(stdin: BinaryIO, path: Path) -> Path:
    """Copy *stdin* to *path*, which only appears when it is complete; returns *path*."""
    if stdin.isatty():
        raise ManifestError("-: standard input is a terminal; pipe in a manifest (JSONL), or name a file.")
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            shutil.copyfileobj(stdin, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: standard input cannot be kept: {error.strerror or error}.") from error
    return path
