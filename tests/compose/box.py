"""Runs one command as a container would: its own mounts, a root of its own, a user, no new privileges.

``unshare --mount python box.py SPEC`` becomes the command; SPEC is JSON: root, readonly, binds ([source, target,
readonly]), environment, folder, user, words. Uses nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

_PDEATHSIG, _NO_NEW_PRIVS = 1, 38


def main() -> None:
    spec = json.loads(sys.argv[1])
    root = _root(spec)
    os.chroot(root)
    os.chdir(spec["folder"])
    user = spec["user"]
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    prctl = ctypes.CDLL(None).prctl
    assert prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    # No container outlives who has started it.
    assert prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0
    os.umask(0o022)
    words = spec["words"]
    program = shutil.which(words[0], path=spec["environment"]["PATH"])
    if program is None:
        sys.exit(f"{words[0]}: not found in {spec['environment']['PATH']}")
    os.execve(program, words, spec["environment"])


def _root(spec: dict) -> Path:
    mount("--make-rprivate", "/")
    root = Path(tempfile.mkdtemp(prefix="retouch-box-"))
    mount("--bind", spec["root"], root)
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path("/", name).is_symlink() and not (root / name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    for source, target, readonly in [["/usr", "/usr", True], ["/dev", "/dev", False], *spec["binds"]]:
        bind(Path(source), root / target[1:], readonly=readonly)
    (root / "proc").mkdir(exist_ok=True)
    mount("-t", "proc", "proc", root / "proc")
    if spec["readonly"]:
        mount("-o", "remount,bind,ro", root)
    return root


def bind(source: Path, target: Path, *, readonly: bool) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.touch()
    mount("--rbind", source, target)
    if readonly:
        mount("-o", "remount,bind,ro", target)


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *words], check=True)


if __name__ == "__main__":
    main()
