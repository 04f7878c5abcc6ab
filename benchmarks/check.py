"""How fast ``retouch check`` looks at pictures."""

from __future__ import annotations

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Bound, Figure, Result
from benchmarks.stage import Stage, retouch


def check(stage: Stage) -> Result:
    """Rows a second, of a manifest whose every row names a picture."""
    rows, files = stage.sizes.check_rows, stage.sizes.check_files
    result = Result(
        "check",
        f"`retouch check` of {rows:,} rows over {files:,} small pictures, each row's looked at, less the time of a "
        "manifest of one row; in turn.",
    )
    small, large = stage.workload.small(1, files), stage.workload.small(rows, files)
    command = retouch("check", str(large), "--json")
    stage.run(command, name="check")  # files and modules are in the kernel's memory from here on
    rates = []
    for _ in range(stage.sizes.rounds):
        one = stage.run(retouch("check", str(small), "--json"), name="check").wall
        wall = stage.run(command, name="check").wall - one
        if wall <= 0:
            raise BenchmarkError(f"{rows} rows took no longer than one: measure more")
        rates.append((rows - 1) / wall)
    result.figures.append(Figure("pictures looked at", tuple(rates), "/s", Bound(15_000, least=True)))
    return result
