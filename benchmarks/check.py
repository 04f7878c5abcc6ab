"""How fast ``retouch check`` looks at pictures."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result
from benchmarks.stage import Stage, retouch

#: Rounds at least: it takes a second, and of that more than half is its start.
_ROUNDS = 5


def check(stage: Stage) -> Result:
    """Rows a second, of a manifest whose every row names a picture."""
    rows, files = stage.sizes.check_rows, stage.sizes.check_files
    result = Result(
        "check",
        f"`retouch check` of {rows:,} rows over {files:,} small pictures, each row's looked at, less the median time "
        "of a manifest of one row; in turn.",
    )
    small, large = stage.workload.small(1, files), stage.workload.small(rows, files)
    _wall(stage, large, rows)  # files and modules are in the kernel's memory from here on
    ones, walls = [], []
    for _ in range(max(_ROUNDS, stage.sizes.rounds)):
        ones.append(_wall(stage, small, 1))
        walls.append(_wall(stage, large, rows))
    start = statistics.median(ones)
    if min(walls) <= start:
        raise BenchmarkError(f"{rows} rows took no longer than one: measure more, on a machine that is idle")
    rates = tuple((rows - 1) / (wall - start) for wall in walls)
    result.figures.append(Figure("pictures looked at", rates, "/s", Bound(15_000, least=True)))
    return result


def _wall(stage: Stage, manifest: Path, rows: int) -> float:
    """Seconds of one check.

    Raises:
        BenchmarkError: it did not see every row, or found fault with one.
    """
    usage = stage.run(retouch("check", str(manifest), "--json"), name="check")
    said = json.loads(usage.output)
    if said["rows"] != rows or said["faults"]:
        raise BenchmarkError(f"check of {rows} sound rows says {usage.output[:200]}")
    return usage.wall
