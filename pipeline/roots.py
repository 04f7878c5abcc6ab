"""Where a row's pictures are: under the manifest's folder, or at a URL.

A path is resolved, including links, before it is compared with the root, so that neither ``..`` nor a link can lead
outside. Only regular files are opened.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.errors import InvalidInput, RetouchError, UsageError
from pipeline.picture import open_refused
from pipeline.urls.addresses import without_user
from pipeline.urls.bucketpaths import meant

_WINDOWS = re.compile(r"[A-Za-z]:/|//")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class RootUnseen(RetouchError):  # noqa: N818 - it names what is wrong with this machine
    """This machine cannot see the folder of the pictures: the job waits, because its rows are not at fault."""


@dataclass(frozen=True, kw_only=True)
class Roots:
    """Where pictures may come from.

    Attributes:
        root: the absolute folder that relative paths start from, as named where the job was made; or the URL of a
            folder in a bucket.
        allow_outside: paths may lead outside the root.
        allow_private_urls: URLs may lead to addresses that are not public.
        buckets: URLs of buckets that rows may name without *allow_outside*.
        root_map: pairs (there, here) of folders that have another name on this machine; the longest match wins.
    """

    root: Path | str
    allow_outside: bool = False
    allow_private_urls: bool = False
    buckets: tuple[str, ...] = ()
    root_map: tuple[tuple[str, str], ...] = ()

    @cached_property
    def here(self) -> str:
        """The root on this machine, with links resolved.

        Raises:
            RootUnseen: there is no such folder here.
        """
        mapped = self.mapped(str(self.root))
        if not os.path.isdir(mapped):  # noqa: PTH112 - strings all the way: this runs for each picture
            raise RootUnseen(
                f"This machine cannot see {mapped}, where the job's pictures are: mount it, map it with "
                "RETOUCH_ROOT_MAP=/there=/here, or submit again with --upload"
            )
        return os.path.realpath(mapped)

    def object_of(self, name: str) -> str | None:
        """The URL of the object in a bucket that *name* refers to; ``None`` if it refers to something else.

        Raises:
            InvalidInput: ``bad_url`` or ``outside``.
        """
        root = self.root if isinstance(self.root, str) else None
        return meant(name, root, self.buckets, allow_outside=self.allow_outside)

    def mapped(self, path: str) -> str:
        """The absolute *path* under its name on this machine."""
        fitting = [
            pair for pair in self.root_map if path == pair[0] or path.startswith(pair[0].rstrip("/") + "/")
        ]
        if not fitting:
            return path
        there, here = max(fitting, key=lambda pair: len(pair[0]))
        return here.rstrip("/") + "/" + path[len(there) :].lstrip("/")

    def look(self) -> None:
        """Check that the root still exists.

        Raises:
            RootUnseen: it does not, so a missing file is not its row's fault.
        """
        if not os.path.isdir(self.here):  # noqa: PTH112
            raise RootUnseen(
                f"{self.here}, where the job's pictures are, is not on this machine any more: mount it again"
            )


def root_map(text: str) -> tuple[tuple[str, str], ...]:
    """The pairs of ``RETOUCH_ROOT_MAP``: ``/there=/here``, several separated by commas.

    Raises:
        UsageError: a pair is not two absolute paths.
    """
    pairs = [pair.partition("=") for pair in (piece.strip() for piece in text.split(",")) if pair]
    for there, _, here in pairs:
        if not (there.startswith("/") and here.startswith("/")):
            raise UsageError(f"RETOUCH_ROOT_MAP={text!r} is not /there=/here with absolute paths: fix it")
    return tuple((there, here) for there, _, here in pairs)


def is_url(name: str) -> bool:
    """Whether *name* is a URL of any scheme rather than a path."""
    return bool(_SCHEME.match(name))


def locate_picture(name: str, roots: Roots) -> Path:
    """The regular file that *name* refers to, with links resolved.

    Raises:
        InvalidInput: ``missing``, ``outside``, ``unreadable`` or ``not_a_picture``.
        RootUnseen: the root is not there on this machine.
    """
    if isinstance(roots.root, str):
        raise InvalidInput("outside", f"{name[:200]} is in a bucket, not on this machine")
    return Path(find_picture(name, roots)[0])


def find_picture(name: str, roots: Roots) -> tuple[str, os.stat_result]:
    """Path and state of the regular file that *name* refers to; raises like :func:`locate_picture`."""
    if not name or "\0" in name:
        raise InvalidInput("missing", f"{name!r} is not a file name: correct the path")
    if name[:5].lower() == "data:":
        raise InvalidInput(
            "unsupported",
            "pictures inside the manifest (data:) are not supported: save the picture as a file",
        )
    if "@" in name and without_user(name) != name:
        raise InvalidInput("bad_url", f"{without_user(name)[:200]} is not a URL: correct it")
    root = roots.here
    path = roots.mapped(name) if name.startswith("/") else name
    inside = path.removeprefix(root.rstrip("/") + "/")
    try:
        parts = [part for part in inside.split("/") if part not in ("", ".")]
        found = None if inside.startswith("/") or ".." in parts else _walked(root, parts)
        path, status = found or _resolved(path, name, roots)
    except (OSError, ValueError) as error:
        raise refusal(error, name, roots) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise InvalidInput("not_a_picture", f"{name} is {what}: use a picture file")
    return path, status


def _walked(root: str, parts: list[str]) -> tuple[str, os.stat_result] | None:
    """The file below *root* if no part of its path is a link, else ``None``; a third of the cost of resolving."""
    path, status = root.rstrip("/"), None
    for part in parts:
        path = f"{path}/{part}"
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return None
    return (path, status) if status else None


def _resolved(path: str, name: str, roots: Roots) -> tuple[str, os.stat_result]:
    root = roots.here
    real = os.path.realpath(os.path.join(root, path))  # noqa: PTH118
    if not roots.allow_outside and real != root and not real.startswith(root.rstrip("/") + "/"):
        mend = "move it inside, or pass --allow-outside"
        raise InvalidInput("outside", f"{name[:200]} is outside {root}: {mend}")
    return real, os.stat(real)  # noqa: PTH116


def refusal(error: OSError | ValueError, name: str, roots: Roots) -> InvalidInput:
    """Why *name* cannot be opened, once it is certain that this is the row's fault."""
    try:
        fault = open_refused(error, name)
    except OSError:
        raise machine_at_fault(error, roots) from error
    if fault.code == "missing":
        roots.look()
        if _WINDOWS.match(name):
            mend = "write it relative to the manifest, and put the pictures next to that"
            return InvalidInput("missing", f"{name} is a Windows path, which does not exist here: {mend}")
    return fault


def machine_at_fault(error: BaseException, roots: Roots) -> RootUnseen:
    """The error for a problem of this machine rather than of the row."""
    why = getattr(error, "strerror", None) or str(error)
    return RootUnseen(
        f"This machine cannot read pictures under {roots.here} ({why}): fix that, and the job continues"
    )
