"""Some of the pictures of a folder or glob, chosen beforehand and kept in a file: a line of JSON each."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipeline.errors import ManifestError
from pipeline.manifest.file import File, Fingerprint
from pipeline.manifest.reader import Raw


class Chosen(msgspec.Struct, frozen=True):
    """A picture as a listing names it, and the mark by which a change of it shows without reading it."""

    image: str
    mark: str


_chosen = msgspec.json.Decoder(Chosen)


class Selection:
    """Reader of the chosen pictures."""

    notes: tuple[str, ...] = ()

    def __init__(self, file: File) -> None:
        self._file = file

    def chosen(self) -> Iterator[Chosen]:
        """The pictures in order."""
        for line in self._file.lines():
            try:
                yield _chosen.decode(line)
            except msgspec.DecodeError as error:
                raise ManifestError(f"{self._file.shown} is damaged ({error}).") from error

    def rows(self) -> Iterator[Raw]:
        for number, chosen in enumerate(self.chosen(), 1):
            yield Raw(number, {"image": chosen.image})

    def ids(self) -> Iterator[object]:
        return iter(())

    def fingerprint(self) -> Fingerprint:
        return self._file.fingerprint()
