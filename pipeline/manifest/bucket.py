"""Manifests in a bucket: a folder of pictures, a glob, or a manifest file, which is copied here first."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from pipeline.errors import ManifestError, StoreError
from pipeline.manifest.file import Fingerprint
from pipeline.manifest.pictures import bad_name, is_picture, natural, picture_row
from pipeline.manifest.reader import Raw
from pipeline.manifest.selection import Chosen
from pipeline.store.bucket import Bucket, ObjectEntry, split_url


def fetched(url: str, folder: Path) -> Path:
    """Copy the manifest file at *url* into *folder* under its name.

    Raises:
        ManifestError: it does not exist, or cannot be read.
    """
    bucket, key = split_url(url)
    path = folder / key.rpartition("/")[2]
    try:
        asyncio.run(Bucket(bucket).download(key, path))
    except StoreError as error:
        raise ManifestError(str(error)) from error
    return path


class BucketPictures:
    """Reader of a glob in a bucket, or of a folder (*pattern* ``None``: its pictures, without subfolders).

    It is listed once: 100,000 objects take a hundred requests. Names and marks stay in memory.

    Attributes:
        root: the folder's URL.
    """

    def __init__(self, url: str, pattern: str | None, shown: str) -> None:
        self.root = url
        self._pattern = pattern
        self._shown = shown
        self._left_out = 0
        self._folders = 0

    @property
    def notes(self) -> tuple[str, ...]:
        _ = self._listed
        said = []
        if self._left_out:
            said.append(f"{self.root}: skipped {self._left_out} whose names are not those of pictures.")
        if self._folders:
            which = "1 subfolder" if self._folders == 1 else f"{self._folders} subfolders"
            said.append(
                f"{self.root}: skipped {which}; a glob such as '{self.root}/**/*.jpg' includes subfolders."
            )
        return tuple(said)

    def rows(self) -> Iterator[Raw]:
        if not self._listed:
            raise ManifestError(
                f"{self.root} contains no pictures; name a folder that does."
                if self._pattern is None
                else f"{self._shown} matches no object; the name of a folder must end with a /."
            )
        for number, picture in enumerate(self._listed, 1):
            yield picture_row(picture.image, number)

    def ids(self) -> Iterator[object]:
        return iter(())

    def fingerprint(self) -> Fingerprint:
        """Of names, sizes and versions of the objects."""
        digest, total = hashlib.sha256(), 0
        for picture in self._listed:
            line = f"{picture.image}\0{picture.mark}\n".encode()
            digest.update(line)
            total += len(line)
        return Fingerprint(bytes=total, sha256=digest.hexdigest())

    def marks(self) -> Iterator[Chosen]:
        """The pictures that a row can name, each with its size and version."""
        return (picture for picture in self._listed if not bad_name(picture.image))

    @cached_property
    def _listed(self) -> list[Chosen]:
        try:
            entries = self._in_folder() if self._pattern is None else self._matching(self._pattern)
        except StoreError as error:
            raise ManifestError(str(error)) from error
        found = [Chosen(entry.name, f"{entry.size}-{entry.version}") for entry in entries]
        found.sort(key=lambda picture: (natural(picture.image), picture.image))
        return found

    def _in_folder(self) -> list[ObjectEntry]:
        bucket, folder = split_url(self.root)
        found = []
        for entry in Bucket(bucket).entries(folder):
            if isinstance(entry, str):
                self._folders += 1
            elif not is_picture(entry.name):
                self._left_out += 1
            else:
                found.append(entry)
        return found

    def _matching(self, pattern: str) -> list[ObjectEntry]:
        bucket, folder = split_url(self.root)
        wanted = tuple(pattern.split("/")) + (("*",) if pattern.endswith("**") else ())
        jobs: set[str] = set()
        found = []
        for entry in Bucket(bucket).below(folder):
            outer, ours, _ = entry.name.partition("/.retouch/")
            if ours:
                jobs.add(outer)
            parts = tuple(entry.name.split("/"))
            hidden = any(part.startswith(".") for part in parts)
            # Web consoles create a folder as an empty object with the folder's name.
            if not hidden and (entry.size or is_picture(entry.name)) and matches(parts, wanted):
                found.append(entry)
        if "**" in wanted and jobs:
            # "**" means everything below, but not the pictures that retouch itself has put there.
            found = [entry for entry in found if jobs.isdisjoint(_folders_of(entry.name))]
        return found


def matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether *pattern* matches the object whose name has these *parts*; ``**`` is any number of folders, or none."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return matches(parts, pattern[1:]) or (bool(parts) and matches(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])


def _folders_of(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    return ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
