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
from pipeline.manifest.selection import Chosen
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

    It is listed once: 100,000 objects are a hundred requests. Names and marks stay in memory.

    Attributes:
        root: the folder's URL.
    """

    def __init__(self, url: str) -> None:
        self.root = url
        self._left_out = 0
        self._folders = 0

    @property
    def notes(self) -> tuple[str, ...]:
        _ = self._listed
        said = []
        if self._left_out:
            said.append(f"{self.root}: left out {self._left_out} that are no pictures by their names.")
        if self._folders:
            said.append(
                f"{self.root}: left out {self._folders} folders in it; name each as a manifest of its own."
            )
        return tuple(said)

    def rows(self) -> Iterator[Raw]:
        if not self._listed:
            raise ManifestError(f"{self.root} holds no picture; name a folder in the bucket that does.")
        for number, picture in enumerate(self._listed, 1):
            faults = tuple(name_faults(picture.image, number))
            yield Raw(number, {"image": picture.image} if not faults else {}, faults, readable=not faults)

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
        """The pictures that a manifest may name, each with its size and version."""
        return (picture for picture in self._listed if not any(name_faults(picture.image, 0)))

    @cached_property
    def _listed(self) -> list[Chosen]:
        bucket, folder = parted(self.root)
        found = []
        try:
            for entry in Bucket(bucket).entries(folder):
                if isinstance(entry, str):
                    self._folders += 1
                elif not is_picture(entry.name):
                    self._left_out += 1
                else:
                    found.append(Chosen(entry.name, f"{entry.size}-{entry.version}"))
        except StoreError as error:
            raise ManifestError(str(error)) from error
        found.sort(key=lambda picture: (natural(picture.image), picture.image))
        return found
