"""Recognises, by its first rows, a file that could be read as a manifest but is not meant as one; pure.

There are two cases: a job's results used as a manifest, and a column of pictures with another name, so that every row
would be made, and paid for, from its prompt alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.edit import Fault
from pipeline.errors import ManifestError
from pipeline.manifest.columns import KNOWN
from pipeline.manifest.pictures import SUFFIXES

#: Rows that are checked before anything is done with a manifest; later on, it is a fault of the row.
LOOKED_AT = 20

#: Columns that ``results.csv`` and ``results.jsonl`` have in common, and that no other table has together.
_OF_RESULTS = frozenset({"outcome", "uncounted", "attempts", "settled_at"})

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+\Z")
#: In a column with such a name, a URL is a picture whatever it ends in.
_SAYS_PICTURE = re.compile(
    r"(?i)image|img|photo|picture|\Apic\Z|\A(?:url|uri|src|source|input|file|path|link)s?\Z"
)
#: Columns for the name of the result.
_SAYS_RESULT = re.compile(r"(?i)\A(?:out|result|target|save|dest)")
_LONGEST = 2000


def refuse_mistaken(first: Sequence[Mapping[str, Any]], shown: str, job: str = "JOB") -> None:
    """Raise an error if the first rows are not those of a manifest.

    Args:
        first: the cells of the first rows.
        shown: the name of the manifest in messages.
        job: the name of the job in whose folder it is.

    Raises:
        ManifestError: they are a job's results, or their pictures are in a column with another name.
    """
    if any(_OF_RESULTS.issubset(cells) for cells in first):
        raise ManifestError(
            f"{shown} is the results of a job, not a manifest: `retouch retry {job}` runs again what is not done; to "
            "edit the results further, write a manifest with a column image that names them."
        )
    for cells in first:
        column = pictures_elsewhere(cells)
        if column is not None:
            raise ManifestError(f"{shown}: {_sentence(column)}")


def fault_of(cells: Mapping[str, Any]) -> Fault | None:
    """A fault if the row's pictures are in a column with another name."""
    column = pictures_elsewhere(cells)
    return (
        Fault(code="not_in_image", message=_sentence(column), column=column) if column is not None else None
    )


def pictures_elsewhere(cells: Mapping[str, Any]) -> str | None:
    """The column with a picture's path or URL, in a row without a column for pictures.

    An empty ``image`` column says that there are none.
    """
    if "image" in cells or "images" in cells:
        return None
    return next((column for column, value in cells.items() if _names_picture(column, value)), None)


def _names_picture(column: str, value: Any) -> bool:
    return _is_picture(column, value) and not _SAYS_RESULT.match(column)


def _is_picture(column: str, value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_picture(column, item) for item in value)
    if not isinstance(value, str) or column in KNOWN:
        return False
    text = value.strip()
    if len(text) > _LONGEST or "\n" in text:
        return False
    if "://" in text and _URL.match(text):
        return _ends_as_picture(re.split("[?#]", text, maxsplit=1)[0]) or bool(_SAYS_PICTURE.search(column))
    return _ends_as_picture(text) or text[:11].lower() == "data:image/"


def _ends_as_picture(path: str) -> bool:
    # Without Path, for speed: this runs for every value of every row without a picture.
    stem, dot, suffix = path.rpartition(".")
    return bool(stem) and f"{dot}{suffix}".lower() in SUFFIXES


def _sentence(column: str) -> str:
    return (
        f'column "{column[:40]}" looks like pictures, but no column is called image, so they would not be sent: '
        "rename it to image, or, to make pictures from prompts alone, add an empty column image."
    )
