"""Standard input, put into a file first: it can be read only once, a manifest is read again on resuming."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import ManifestError, StoreError


def spool(stdin: BinaryIO, path: Path) -> Path:
    """Copy *stdin* to *path*, which appears only when it is whole; returns *path*."""
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
