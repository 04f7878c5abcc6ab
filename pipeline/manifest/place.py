"""What the argument names: a file and its format, a folder, a glob, or standard input.

The name decides, and the first bytes confirm it, so that a spreadsheet named like a CSV file is one error and not a
million faults.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePath, PurePosixPath

import msgspec

from pipeline.errors import ManifestError
from pipeline.manifest.file import File
from pipeline.manifest.formats import FORMATS, JSONL, ManifestFormat, format_of, is_zipped, suffix_of
from pipeline.manifest.pictures import SUFFIXES
from pipeline.store.access import is_bucket_url
from pipeline.store.bucket import split_url


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the manifest is.

    Attributes:
        source: absolute path or glob, or ``-``.
        root: the folder that relative paths are relative to; the URL of one in a bucket.
        file: the file; ``None`` for a folder or a glob of pictures.
        format: of the file.
        pattern: the glob below *root*; ``None`` for a folder.
    """

    source: str
    root: Path | str
    file: File | None = None
    format: ManifestFormat | None = None
    pattern: str | None = None


_SPREADSHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".ods", ".numbers"})
_MAGIC_CHARACTERS = frozenset("*?[")
_ENDINGS = [known.suffixes[0] for known in FORMATS]
_TAKES = (
    f"a manifest is a {', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]} file, a folder of pictures, a glob, or -"
)
_AS_CSV = 'save it as "CSV UTF-8"'
_PICTURE = "a picture; name its folder, or a glob such as 'photos/*.png'"
_MAGIC = (
    (b"PK\x03\x04", f"an Excel workbook or another ZIP archive; {_AS_CSV}"),
    (b"\xd0\xcf\x11\xe0", f"an old Excel workbook; {_AS_CSV}"),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"RIFF", _PICTURE),
    (b"%PDF", "a PDF; export the table as CSV UTF-8"),
    *(
        (known.magic, f"a {known.title} file; name it {known.suffixes[0]}")
        for known in FORMATS
        if known.magic
    ),
    (b"\x1f\x8b", "gzip data; end its name in .gz"),
    (b"\x28\xb5\x2f\xfd", "zstd data; unpack it first"),
    (b"BZh9", "bzip2 data; unpack it first"),
)


def locate_manifest(argument: str, spooled: Path | None) -> Place:
    """The place that *argument* names; *spooled* is the file with standard input, or with a copy from a bucket."""
    if argument == "-":
        if spooled is None:
            raise ValueError("standard input must be spooled first")
        file = File(path=spooled, shown="standard input")
        _verify(file, JSONL)
        return Place(source="-", root=Path.cwd(), file=file, format=JSONL)
    if is_bucket_url(argument):
        return _in_bucket(argument.rstrip("/"), spooled, folder=argument.endswith("/"))
    if "://" in argument:
        raise ManifestError(f"{argument} is a URL; download the manifest and name the file.")
    if not argument.strip():
        raise ManifestError(f"no manifest given; {_TAKES}.")
    # Not resolved: links are resolved when a picture is opened.
    path = Path(os.path.abspath(Path(argument).expanduser()))  # noqa: PTH100
    try:
        return _found(path, argument)
    except OSError as error:
        raise ManifestError(f"{argument} cannot be read: {error.strerror}.") from error


def is_file_of_bucket(argument: str) -> bool:
    """Whether *argument* is, by its name, the URL of a manifest file in a bucket rather than of a folder."""
    name = PurePosixPath(argument)
    return is_bucket_url(argument) and _read_format(name) is not None and "*" not in name.name


def _in_bucket(url: str, copied: Path | None, *, folder: bool) -> Place:
    path = PurePosixPath(url)
    if not folder and copied is None and _MAGIC_CHARACTERS.intersection(url):
        return _glob_in_bucket(url)
    if folder or (copied is None and path.suffix.lower() not in SUFFIXES | _SPREADSHEETS | {".json"}):
        return Place(source=url, root=url)
    found = _read_format(path)
    if found is None or copied is None:
        raise ManifestError(_refusal(url, path))
    file = File(path=copied, shown=url, zipped=is_zipped(path))
    _verify(file, found)
    return Place(source=url, root=url.rpartition("/")[0], file=file, format=found)


def _glob_in_bucket(url: str) -> Place:
    """The glob *url*; its root ends before the first part that is a pattern."""
    bucket, key = split_url(url)
    parts = key.split("/")
    first = next((number for number, part in enumerate(parts) if _MAGIC_CHARACTERS.intersection(part)), None)
    if first is None:
        raise ManifestError(f"{url}: a bucket's name cannot be a pattern; write it in full.")
    root = "/".join([bucket, *parts[:first]])
    return Place(source=url, root=root, pattern="/".join(parts[first:]))


def _found(path: Path, argument: str) -> Place:
    if path.is_dir():
        return Place(source=str(path), root=path)
    if path.exists():
        return _file(path, argument)
    if _MAGIC_CHARACTERS.intersection(argument):
        return _glob(path)
    raise ManifestError(f"{argument} does not exist; {_TAKES}.")


def _file(path: Path, shown: str) -> Place:
    if not path.is_file():
        raise ManifestError(f"{shown} is not a regular file; pass - and pipe JSONL in.")
    found = _read_format(path)
    if found is None:
        raise ManifestError(_refusal(shown, path))
    file = File(path=path, shown=shown, zipped=is_zipped(path))
    _verify(file, found)
    return Place(source=str(path), root=path.parent, file=file, format=found)


def _read_format(path: PurePath) -> ManifestFormat | None:
    """The format of the file *path*; ``None`` where there is none, or it is not read when it is zipped."""
    found = format_of(path)
    return None if found is not None and found.magic and is_zipped(path) else found


def _refusal(shown: str, path: PurePath) -> str:
    suffix, packed = suffix_of(path), format_of(path)
    if suffix in SUFFIXES:
        return f"{shown} is {_PICTURE}."
    if suffix in _SPREADSHEETS:
        return f"{shown} is a spreadsheet; {_AS_CSV}."
    if suffix == ".json":
        return (
            f"{shown}: write one JSON object a line and name the file .jsonl (jq -c '.[]' a.json > a.jsonl)."
        )
    if packed is not None:
        return f"{shown}: unpack it first; {packed.title} is compressed within."
    return f"{shown}: its name does not show its format; {_TAKES}."


def _glob(path: Path) -> Place:
    """The glob *path*; its root includes all parts that are existing folders, even with brackets in their names."""
    root, parts = Path(path.anchor), list(path.parts[1:])
    while parts and (not _MAGIC_CHARACTERS.intersection(parts[0]) or (root / parts[0]).is_dir()):
        root = root / parts.pop(0)
    if not root.is_dir():
        raise ManifestError(f"{path}: the folder {root} does not exist.")
    return Place(source=str(path), root=root, pattern="/".join(parts))


def _verify(file: File, expected: ManifestFormat) -> None:
    head = file.head()
    if not head:
        raise ManifestError(f"{file.shown} is empty; write a manifest into it.")
    if expected.magic:
        if not head.startswith(expected.magic):
            raise ManifestError(f"{file.shown} is not a {expected.title} file; rename it.")
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
    """``UTF-16`` or ``UTF-32``, by the byte-order mark or by the positions of zero bytes."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if min(even, odd) * 10 < max(even, odd) and max(even, odd) * 3 > len(head) // 2:
        return "UTF-16"
    return None
