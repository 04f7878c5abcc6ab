"""Some of the pictures of a folder or glob, selected beforehand and listed in a file as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipeline.errors import ManifestError
from pipeline.manifest.file import File, Fingerprint
from pipeline.manifest.reader import Raw


class Chosen(msgspec.Struct, frozen=True):
    """A picture's name in a listing, and a mark that shows without reading it whether it has changed."""

    image: str
    mark: str


_chosen = msgspec.json.Decoder(Chosen)


class Selection:
    """Reader of the selected pictures."""

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
