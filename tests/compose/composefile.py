"""Reads a compose file: its services as they would be started with an environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclass(frozen=True)
class Service:
    """A service; *said* is all that the file says of it."""

    name: str
    said: dict[str, Any]

    @property
    def profiles(self) -> list[str]:
        return list(self.said.get("profiles", []))

    @property
    def needs(self) -> dict[str, dict[str, Any]]:
        return dict(self.said.get("depends_on", {}))

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.said.get("environment", {}).items()}

    @property
    def health(self) -> dict[str, Any]:
        return dict(self.said.get("healthcheck", {}))

    def seconds(self, name: str, default: float) -> float:
        """A duration that it says, such as ``330s``."""
        said = self.said.get(name) or self.health.get(name)
        return default if said is None else float(str(said).removesuffix("s"))


def services_of(path: Path, environment: Mapping[str, str]) -> dict[str, Service]:
    """The services of the compose file at *path*, with ``${NAME:-default}`` filled in from *environment*."""
    filled = _VARIABLE.sub(lambda m: environment.get(m[1]) or (m[2] or ""), path.read_text())
    return {name: Service(name, said) for name, said in yaml.safe_load(filled)["services"].items()}


def started(services: Mapping[str, Service], profiles: set[str]) -> list[Service]:
    """What ``up`` starts with *profiles*, each after what it needs."""
    meant = {
        name for name, service in services.items() if not service.profiles or profiles & set(service.profiles)
    }
    order: list[Service] = []

    def add(name: str) -> None:
        if name in meant and services[name] not in order:
            for need in services[name].needs:
                add(need)
            order.append(services[name])

    for name in services:
        add(name)
    return order
