"""What the argument names: a file and its format, a folder, a glob, or standard input.

Decided by the name and verified by the first bytes, so that a spreadsheet under the name of a CSV file is
one sentence and not a million faults.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path, PurePath, PurePosixPath

import msgspec

from pipeline.errors import ManifestError
from pipeline.manifest.file import File
from pipeline.manifest.pictures import SUFFIXES
from pipeline.store.access import is_bucket_url
from pipeline.store.bucket import split_url


class ManifestFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    PICTURES = "pictures"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the manifest is.

    Attributes:
        source: absolute path or glob, or ``-``.
        root: the folder that relative paths are relative to; the URL of one in a bucket.
        file: the file, unless it is a folder or glob.
        pattern: the glob below *root*; ``None`` for a folder.
    """

    source: str
    root: Path | str
    format: ManifestFormat
    file: File | None = None
    pattern: str | None = None


_SUFFIXES = {
    ".csv": ManifestFormat.CSV,
    ".tsv": ManifestFormat.TSV,
    ".tab": ManifestFormat.TSV,
    ".jsonl": ManifestFormat.JSONL,
    ".ndjson": ManifestFormat.JSONL,
    ".parquet": ManifestFormat.PARQUET,
    ".pq": ManifestFormat.PARQUET,
}
_SPREADSHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".ods", ".numbers"})
_MAGIC_CHARACTERS = frozenset("*?[")
_TAKES = "a manifest is a .csv, .tsv, .jsonl or .parquet file, a folder of pictures, a glob, or -"
_SPREADSHEET = 'a spreadsheet; save it as "CSV UTF-8"'
_PICTURE = "a picture; name its folder, or a glob such as 'photos/*.png'"
_MAGIC = (
    (b"PK\x03\x04", _SPREADSHEET.replace("a spreadsheet", "an Excel workbook or another ZIP archive")),
    (b"\xd0\xcf\x11\xe0", _SPREADSHEET.replace("a spreadsheet", "an old Excel workbook")),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"RIFF", _PICTURE),
    (b"%PDF", "a PDF; export the table as CSV UTF-8"),
    (b"PAR1", "a Parquet file; name it .parquet"),
    (b"\x1f\x8b", "gzip data; end its name in .gz"),
    (b"\x28\xb5\x2f\xfd", "zstd data; unpack it first"),
    (b"BZh9", "bzip2 data; unpack it first"),
)


def locate_manifest(argument: str, spooled: Path | None) -> Place:
    """The place *argument* names; *spooled* is where standard input was put."""
    if argument == "-":
        if spooled is None:
            raise ValueError("standard input must be spooled first")
        file = File(path=spooled, shown="standard input")
        _verify(file, ManifestFormat.JSONL)
        return Place(source="-", root=Path.cwd(), format=ManifestFormat.JSONL, file=file)
    if is_bucket_url(argument):
        return _in_bucket(argument.rstrip("/"), spooled, folder=argument.endswith("/"))
    if "://" in argument:
        raise ManifestError(f"{argument} is a URL; download the manifest and name the file.")
    if not argument.strip():
        raise ManifestError(f"no manifest given; {_TAKES}.")
    # Not resolved: links are, when a picture is looked at.
    path = Path(os.path.abspath(Path(argument).expanduser()))  # noqa: PTH100
    try:
        return _found(path, argument)
    except OSError as error:
        raise ManifestError(f"{argument} cannot be read: {error.strerror}.") from error


def is_file_of_bucket(argument: str) -> bool:
    """Whether *argument* is the URL of a manifest file in a bucket, by its name; else it is that of a folder."""
    name = PurePosixPath(argument)
    return is_bucket_url(argument) and _format_of(name) is not None and "*" not in name.name


def _in_bucket(url: str, copied: Path | None, *, folder: bool) -> Place:
    path = PurePosixPath(url)
    if not folder and copied is None and _MAGIC_CHARACTERS.intersection(url):
        return _glob_in_bucket(url)
    if folder or (copied is None and path.suffix.lower() not in SUFFIXES | _SPREADSHEETS | {".json"}):
        return Place(source=url, root=url, format=ManifestFormat.PICTURES)
    found = _format_of(path)
    if found is None or copied is None:
        raise ManifestError(_refusal(url, path.suffix.lower(), zipped=False))
    file = File(path=copied, shown=url, zipped=path.suffix.lower() == ".gz")
    _verify(file, found)
    return Place(source=url, root=url.rpartition("/")[0], format=found, file=file)


def _glob_in_bucket(url: str) -> Place:
    """The glob *url*; its root goes as far as no part of it is a pattern."""
    bucket, key = split_url(url)
    parts = key.split("/")
    first = next((number for number, part in enumerate(parts) if _MAGIC_CHARACTERS.intersection(part)), None)
    if first is None:
        raise ManifestError(f"{url}: a bucket's name cannot be a pattern; write it in full.")
    root = "/".join([bucket, *parts[:first]])
    return Place(source=url, root=root, format=ManifestFormat.PICTURES, pattern="/".join(parts[first:]))


def _found(path: Path, argument: str) -> Place:
    if path.is_dir():
        return Place(source=str(path), root=path, format=ManifestFormat.PICTURES)
    if path.exists():
        return _file(path, argument)
    if _MAGIC_CHARACTERS.intersection(argument):
        return _glob(path)
    raise ManifestError(f"{argument} does not exist; {_TAKES}.")


def _file(path: Path, shown: str) -> Place:
    if not path.is_file():
        raise ManifestError(f"{shown} is not a regular file; pass - and pipe JSONL in.")
    zipped = path.suffix.lower() == ".gz"
    found = _format_of(path)
    if found is None:
        raise ManifestError(_refusal(shown, _suffix(path), zipped=zipped))
    file = File(path=path, shown=shown, zipped=zipped)
    _verify(file, found)
    return Place(source=str(path), root=path.parent, format=found, file=file)


def _format_of(path: PurePath) -> ManifestFormat | None:
    found = _SUFFIXES.get(_suffix(path))
    return None if found is ManifestFormat.PARQUET and path.suffix.lower() == ".gz" else found


def _suffix(path: PurePath) -> str:
    return (PurePath(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


def _refusal(shown: str, suffix: str, *, zipped: bool) -> str:
    if suffix in SUFFIXES:
        return f"{shown} is {_PICTURE}."
    if suffix in _SPREADSHEETS:
        return f"{shown} is {_SPREADSHEET}."
    if suffix == ".json":
        return (
            f"{shown}: write one JSON object a line and name the file .jsonl (jq -c '.[]' a.json > a.jsonl)."
        )
    if suffix in {".parquet", ".pq"} and zipped:
        return f"{shown}: unpack it first; Parquet is compressed within."
    return f"{shown}: its name does not show its format; {_TAKES}."


def _glob(path: Path) -> Place:
    """The glob *path*; its root goes as far as folders are there, brackets in their names or not."""
    root, parts = Path(path.anchor), list(path.parts[1:])
    while parts and (not _MAGIC_CHARACTERS.intersection(parts[0]) or (root / parts[0]).is_dir()):
        root = root / parts.pop(0)
    if not root.is_dir():
        raise ManifestError(f"{path}: the folder {root} does not exist.")
    return Place(source=str(path), root=root, format=ManifestFormat.PICTURES, pattern="/".join(parts))


def _verify(file: File, expected: ManifestFormat) -> None:
    head = file.head()
    if not head:
        raise ManifestError(f"{file.shown} is empty; write a manifest into it.")
    if expected is ManifestFormat.PARQUET:
        if not head.startswith(b"PAR1"):
            raise ManifestError(f"{file.shown} is not a Parquet file; rename it.")
        return
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise ManifestError(f"{file.shown} is {what}.")
    encoding = _wide(head)
    if encoding:
        raise ManifestError(f'{file.shown} is {encoding} text; save it as UTF-8 (Excel: "CSV UTF-8").')
    if head.count(0) > len(head) // 20:
        raise ManifestError(f"{file.shown} is not a text file; {_TAKES}.")


def _wide(head: bytes) -> str | None:
    """``UTF-16`` or ``UTF-32``, told by the byte-order mark or by where the zeros of plain letters are."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) * 10 < max(even, odd) and max(even, odd) * 3 > len(head) // 2:
        return "UTF-16"
    return None
