"""The faults of a manifest, as they are shown to people."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jobs.survey import Survey
from jobs.words import printable
from pipeline.edit import Fault
from pipeline.manifest import Manifest
from pipeline.report.words import plural

#: Faults that are printed for people; --json gives all.
SHOWN = 50


def tell_faults(survey: Survey, manifest: Manifest, tell: Callable[[str], None]) -> int:
    """Read the whole manifest, telling the first :data:`SHOWN` faults as they are found; how many there are."""
    count = 0
    for edit in manifest.edits():
        for fault in survey.faults(edit):
            count += 1
            if count <= SHOWN:
                tell(fault_line(fault, manifest))
    if count > SHOWN:
        tell(f"… and {plural(count - SHOWN, 'more fault')}; `retouch check --json` lists all")
    return count


def fault_line(fault: Fault, manifest: Manifest) -> str:
    """``manifest.csv:12: column image: missing: …``, as compilers write it, so that editors can jump there."""
    name = "stdin" if manifest.source == "-" else Path(manifest.source).name
    where = name if fault.line is None else f"{name}:{fault.line}"
    return printable(": ".join(filter(None, (where, fault.where, fault.code, fault.message))))
