"""A million rows of manifest in each format: :mod:`benchmarks.manifest`, held against its bounds."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result
from benchmarks.stage import PATIENCE, Stage

_SCRIPT = Path(__file__).with_name("manifest.py")
_LINE = re.compile(r"(?P<format>\S+)\s+(?P<rows>[\d,]+) rows\s+(?P<seconds>[\d.]+) s\s.*?(?P<peak>\d+) MB")


def reading(stage: Stage) -> Result:
    """Time and peak memory of reading a large manifest, without pictures, for each format."""
    rows = stage.sizes.rows
    result = Result(
        "manifest",
        f"{rows:,} rows from a manifest to edits (a folder: up to 100,000 files), a process for each format; what "
        "`python benchmarks/manifest.py` prints. No picture is looked at.",
    )
    command = [sys.executable, str(_SCRIPT), str(rows)]
    usage = stage.run(command, seconds=PATIENCE + rows / 1000, name="manifest")
    result.figures += figures(usage.output)
    return result


def figures(text: str) -> list[Figure]:
    """The figures in what :mod:`benchmarks.manifest` prints.

    Raises:
        BenchmarkError: there are none.
    """
    found = []
    for line in map(_LINE.match, text.splitlines()):
        if line:
            name = f"{line['format']}, {line['rows']} rows"
            found.append(Figure(f"{name}: time", (float(line["seconds"]),), "s", Bound(60)))
            found.append(Figure(f"{name}: peak memory", (float(line["peak"]),), "MB", Bound(250)))
    if not found:
        raise BenchmarkError(f"no figures in {text[:200]!r}")
    return found
