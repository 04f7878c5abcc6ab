"""A manifest in a bucket: a folder of pictures there, or a manifest file, which is copied here first."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from pipeline.errors import ManifestError, StoreError
from pipeline.manifest.file import Fingerprint
from pipeline.manifest.pictures import is_picture, name_faults, natural
from pipeline.manifest.reader import Raw
from pipeline.store.bucket import Bucket, parted


def fetched(url: str, folder: Path) -> Path:
    """The manifest file at *url*, copied into *folder* under its name.

    Raises:
        ManifestError: it is not there, or cannot be read.
    """
    bucket, key = parted(url)
    path = folder / key.rpartition("/")[2]
    try:
        asyncio.run(Bucket(bucket).download(key, path))
    except StoreError as error:
        raise ManifestError(str(error)) from error
    return path


class BucketPictures:
    """Reader of a folder in a bucket: its pictures, not those of folders in it.

    It is listed once: 100,000 objects are a hundred requests. The names stay in memory.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._left_out = 0
        self._folders = 0

    @property
    def notes(self) -> tuple[str, ...]:
        _ = self._listed
        said = []
        if self._left_out:
            said.append(f"{self._url}: left out {self._left_out} that are no pictures by their names.")
        if self._folders:
            said.append(
                f"{self._url}: left out {self._folders} folders in it; name each as a manifest of its own."
            )
        return tuple(said)

    def rows(self) -> Iterator[Raw]:
        names, _ = self._listed
        if not names:
            raise ManifestError(f"{self._url} holds no picture; name a folder in the bucket that does.")
        for number, name in enumerate(names, 1):
            faults = tuple(name_faults(name, number))
            yield Raw(number, {"image": name} if not faults else {}, faults, readable=not faults)

    def ids(self) -> Iterator[object]:
        return iter(())

    def fingerprint(self) -> Fingerprint:
        """Of names, sizes and versions of the objects."""
        return self._listed[1]

    @cached_property
    def _listed(self) -> tuple[list[str], Fingerprint]:
        bucket, folder = parted(self._url)
        names, total, digest = [], 0, hashlib.sha256()
        try:
            for entry in Bucket(bucket).entries(folder):
                if isinstance(entry, str):
                    self._folders += 1
                elif not is_picture(entry.name):
                    self._left_out += 1
                else:
                    names.append(entry.name)
                    line = f"{entry.name}\0{entry.size}\0{entry.version}\n".encode()
                    digest.update(line)
                    total += len(line)
        except StoreError as error:
            raise ManifestError(str(error)) from error
        names.sort(key=lambda name: (natural(name), name))
        return names, Fingerprint(bytes=total, sha256=digest.hexdigest())
