"""The formats of manifest files. A new one is a reader beside these, and an entry in :data:`FORMATS`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import NamedTuple

from pipeline.manifest.delimited import Delimited
from pipeline.manifest.file import File
from pipeline.manifest.jsonl import JsonLines
from pipeline.manifest.parquet import Parquet
from pipeline.manifest.reader import Reader


class ManifestFormat(NamedTuple):
    """How the rows of a file are written.

    Attributes:
        title: what people call it.
        suffixes: the endings of its files' names; the first is the usual one.
        reader: makes its reader, from a file and the ``--prompt``.
        magic: the first bytes of its files, where it is binary; text has none, and may be gzipped.
    """

    title: str
    suffixes: tuple[str, ...]
    reader: Callable[[File, str | None], Reader]
    magic: bytes | None = None


CSV = ManifestFormat("CSV", (".csv",), lambda file, prompt: Delimited(file, None, prompt))
TSV = ManifestFormat("TSV", (".tsv", ".tab"), lambda file, prompt: Delimited(file, "\t", prompt))
JSONL = ManifestFormat("JSONL", (".jsonl", ".ndjson"), lambda file, _prompt: JsonLines(file))
PARQUET = ManifestFormat("Parquet", (".parquet", ".pq"), Parquet, magic=b"PAR1")

FORMATS = (CSV, TSV, JSONL, PARQUET)


def is_zipped(path: PurePath) -> bool:
    """Whether the name of *path* says that it is gzip data."""
    return path.suffix.lower() == ".gz"


def suffix_of(path: PurePath) -> str:
    """The ending of *path*'s name in lower case, before any ``.gz``."""
    return (PurePath(path.stem) if is_zipped(path) else path).suffix.lower()


def format_of(path: PurePath) -> ManifestFormat | None:
    """The format of the file *path*, zipped or not, by its name."""
    suffix = suffix_of(path)
    return next((known for known in FORMATS if suffix in known.suffixes), None)
