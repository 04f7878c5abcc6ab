"""Reads a Dockerfile: its stages, and the instructions of each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """A stage: what it starts from, its name, its instructions in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages_of(path: Path) -> list[Stage]:
    """The stages of the Dockerfile at *path*."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base.strip(), name.strip() or str(len(stages))))
        else:
            stages[-1].steps.append((word, rest.strip()))
    return stages


def words_of(value: str) -> list[str]:
    """The value of CMD, ENTRYPOINT and the like, in its form as a JSON list."""
    return [str(word) for word in json.loads(value)]


def pairs_of(value: str, environment: dict[str, str]) -> dict[str, str]:
    """The value of ENV or LABEL; ``$NAME`` of what was set before is filled in."""
    found = re.findall(r'([\w.]+)=("[^"]*"|\S+)', value)
    filled = re.compile(r"\$(\w+)")
    return {name: filled.sub(lambda m: environment[m[1]], text.strip('"')) for name, text in found}
