"""The results as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Result
from benchmarks.sizes import Sizes

_HOLDS = {True: "yes", False: "**no**", None: ""}
#: From this load on, somebody else was at work when the first process was started.
_BUSY = 0.7


def markdown(machine: Mapping[str, Any], sizes: Sizes, results: Sequence[Result]) -> str:
    """One table of all figures, then what each benchmark has to say beside it."""
    lines = ["# What was measured", "", *_machine(machine), *_warnings(machine, sizes), ""]
    lines += ["| | figure | measured | must be | holds |", "| --- | --- | --: | --: | :-: |"]
    lines += [_line(result.name, figure) for result in results for figure in result.figures]
    for result in results:
        lines += ["", f"## {result.name}", "", result.about, f"Took {result.seconds:.0f} s."]
        for table in result.tables:
            lines += ["", *table.lines()]
        lines += ["", *(f"- {note}" for note in result.notes)] if result.notes else []
        lines += ["", *(f"- **not measured:** {why}" for why in result.failed)] if result.failed else []
    return "\n".join(lines) + "\n"


def write(folder: Path, machine: Mapping[str, Any], sizes: Sizes, results: Sequence[Result]) -> None:
    """``results.md`` and ``results.json`` in *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": machine,
        "sizes": asdict(sizes),
        "results": [result.document() for result in results],
    }
    (folder / "results.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    (folder / "results.md").write_text(markdown(machine, sizes, results))


def _line(name: str, figure: Figure) -> str:
    bound = figure.bound.text(figure.unit) if figure.bound else ""
    what = f"{figure.name}; {figure.note}" if figure.note else figure.name
    return f"| {name} | {what} | {figure.text()} | {bound} | {_HOLDS[figure.holds]} |"


def _machine(machine: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']:g} GB, {machine['system']}"
    return [
        f"{machine['date']}, {where}, Python {machine['python']}, {versions}.",
        "Where several rounds were measured: their median, and in brackets the least and the most.",
    ]


def _warnings(machine: Mapping[str, Any], sizes: Sizes) -> list[str]:
    said = []
    if not sizes.judged:
        said.append("Measured with --quick: this shows that everything works, and the figures mean nothing.")
    if machine["load_before"] > _BUSY:
        load = f"The machine was not idle (load {machine['load_before']:g} before the first process)"
        said.append(f"{load}: ratios mean little, and absolute figures nothing.")
    return [line for sentence in said for line in ("", f"**{sentence}**")]
