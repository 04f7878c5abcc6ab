"""A folder of pictures or a glob, as rows in natural order (``img2`` before ``img10``)."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.edit import Fault
from pipeline.errors import ManifestError
from pipeline.manifest.file import Fingerprint, bad_byte
from pipeline.manifest.reader import Raw
from pipeline.manifest.selection import Chosen

#: The files of a folder that count as pictures. Whether a file really is one is decided later by its bytes; this only
#: leaves out other files in the same folder.
SUFFIXES = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".gif",
    ".jp2", ".tga", ".ico", ".ppm", ".pgm", ".pbm", ".pnm", ".pcx", ".qoi",
})  # fmt: skip

_DIGITS = re.compile(r"\d+")


class Pictures:
    """Reader of a glob, or of a folder (*pattern* ``None``: its pictures, without subfolders).

    Every method lists the folder again, so that nothing of it stays in memory.

    Attributes:
        root: the folder that names are relative to.
    """

    def __init__(self, root: Path, pattern: str | None, shown: str) -> None:
        self.root = root
        self._pattern = pattern
        self._shown = shown

    @property
    def notes(self) -> tuple[str, ...]:
        if self._pattern is not None:
            return ()
        files = [name for name in self._files() if not is_picture(name)]
        folders = list(self._folders())
        notes = []
        if files:
            which = _some(files)
            notes.append(
                f"{self._shown}: skipped {len(files)} whose names are not those of pictures ({which})."
            )
        if folders:
            which = "1 folder" if len(folders) == 1 else f"{len(folders)} folders"
            mend = f"a glob such as '{self._shown.rstrip('/')}/**/*.jpg' includes them"
            notes.append(f"{self._shown}: skipped {which} ({_some(folders)}); {mend}.")
        return tuple(notes)

    def rows(self) -> Iterator[Raw]:
        names = self._listing()
        if not names:
            what = "no picture" if self._pattern is None else "no file"
            raise ManifestError(f"{self._shown} matches {what}; name a folder with pictures, or a glob.")
        for number, name in enumerate(names, 1):
            yield picture_row(name, number)

    def ids(self) -> Iterator[object]:
        return iter(())

    def fingerprint(self) -> Fingerprint:
        """Size and hash of the names, sizes and times of the files; their bytes are checked when they are sent."""
        digest = hashlib.sha256()
        total = 0
        for name in self._listing():
            stat = self._stat(name)
            entry = f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode("utf-8", "surrogateescape")
            digest.update(entry)
            total += len(entry)
        return Fingerprint(bytes=total, sha256=digest.hexdigest())

    def marks(self) -> Iterator[Chosen]:
        """The pictures that a row can name, each with its size and time; without those that disappear meanwhile."""
        for name in self._listing():
            if bad_name(name):
                continue
            try:
                stat = (self.root / name).stat()
            except OSError:
                continue
            yield Chosen(name, f"{stat.st_size}-{stat.st_mtime_ns}")

    def _stat(self, name: str) -> os.stat_result:
        try:
            if _leads_nowhere(self.root / name):
                return (self.root / name).lstat()
            return (self.root / name).stat()
        except OSError as error:
            raise ManifestError(f"{self.root / name} cannot be read: {error.strerror}.") from error

    def _listing(self) -> list[str]:
        names = list(self._matches() if self._pattern is not None else filter(is_picture, self._files()))
        names.sort()  # equal in natural order (A.png, a.png): must not depend on the disk
        names.sort(key=natural)
        return names

    def _files(self) -> Iterator[str]:
        return (entry.name for entry in self._entries() if _is_file(entry))

    def _folders(self) -> Iterator[str]:
        return (entry.name for entry in self._entries() if _is_folder(entry) and not _is_job(entry))

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self.root) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        yield entry
        except OSError as error:
            raise ManifestError(f"{self._shown} cannot be read: {error.strerror}.") from error

    def _matches(self) -> Iterator[str]:
        # pathlib's ** does not follow links: a link to a parent folder would list every picture again.
        pattern = self._pattern or "*"
        # "**" means everything below, but not the pictures that retouch itself has put there.
        ours = self._jobs_below() if "**" in pattern else frozenset()
        try:
            for path in self.root.glob(f"{pattern}/*" if pattern.endswith("**") else pattern):
                relative = path.relative_to(self.root)
                hidden = any(part.startswith(".") for part in relative.parts)
                there = path.is_file() or _leads_nowhere(path)
                if not hidden and there and ours.isdisjoint(path.parents):
                    yield relative.as_posix()
        except (OSError, ValueError, NotImplementedError) as error:
            raise ManifestError(f"{self._shown} is not a valid pattern: {error}.") from error

    def _jobs_below(self) -> frozenset[Path]:
        return frozenset(inside.parent for inside in self.root.glob("**/.retouch")) - {self.root}


def is_picture(name: str) -> bool:
    """Whether *name* has the extension of a picture; its bytes decide later."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - a Path for each of a million names


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether the entry is a row. A broken link is one, so that it becomes a fault instead of being ignored."""
    if entry.is_symlink():
        path = Path(entry.path)
        return path.is_file() or _leads_nowhere(path)
    return entry.is_file()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry.is_dir() raises an error for a link to itself.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _some(names: list[str]) -> str:
    first = min(names)
    return first + (", …" if len(names) > 1 else "")


def _is_job(entry: os.DirEntry[str]) -> bool:
    """Whether the entry is a job's folder, or a store of jobs."""
    return Path(entry.path, ".retouch").is_dir()


def natural(name: str) -> str:
    """A sort key for natural order."""
    # One string rather than a tuple of parts, because there may be a million names.
    return _DIGITS.sub(lambda digits: digits[0].zfill(20), name.casefold())


def picture_row(name: str, number: int) -> Raw:
    """The row of the picture *name*, the *number*-th of a listing."""
    message = bad_name(name)
    if message is None:
        return Raw(number, {"image": name})
    fault = Fault(code="bad_name", message=message, line=number, column="image")
    return Raw(number, {}, (fault,), readable=False)


def bad_name(name: str) -> str | None:
    """Why no row can name the file *name*, with the mend; ``None`` if one can."""
    if bad_byte(name) is not None:
        return "the file's name is not UTF-8; rename the file."
    if "\\" in name or name != name.strip():
        return f"the file name {name!r} begins or ends with a space or holds a backslash; rename the file."
    return None
