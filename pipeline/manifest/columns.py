"""Names of columns: trimmed, and those that retouch knows in any case."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.errors import ManifestError
from pipeline.manifest import template

#: The columns that retouch knows; all others are copied to the row's record.
KNOWN = frozenset({"image", "images", "prompt", "id", "model", "aspect_ratio", "image_size", "output"})

_SEPARATE = "separate columns by commas, semicolons or tabs"
_NAME = "call the pictures' column image, or write the columns' names into the first line"

#: Invisible: a zero-width space, and the byte-order mark of a file that was appended to another.
_UNSEEN = "\u200b\ufeff"
_OTHER_SEPARATORS = re.compile(r"[|:\s]+")


def canonical(name: str) -> str:
    """*name* without white space or invisible characters around it; in lower case if it is a known column."""
    trimmed = name.strip().strip(_UNSEEN).strip()
    lowered = trimmed.casefold()
    return lowered if lowered in KNOWN else trimmed


def repeated(names: Sequence[str]) -> list[str]:
    """The names that occur more than once, ignoring case; empty names do not count."""
    counts = Counter(name.casefold() for name in names if name)
    return [name for name, count in counts.items() if count > 1]


def check_header(names: Sequence[str], shown: str, prompt: str | None) -> None:
    """Raise :class:`ManifestError` unless *names* (canonical) can be the columns of a manifest.

    In a file without a header, they are its first row. That must not pass just because there is a ``--prompt``: every
    row would be sent, and paid for, without its picture.
    """
    again = repeated(names)
    if again:
        raise ManifestError(f"{shown}: two columns are called {listed(again)}; rename or remove one.")
    if {"image", "images", "prompt"}.intersection(names):
        return
    if prompt and (KNOWN.intersection(names) or template.uses(prompt, names)):
        return
    apart = len(names) == 1 and KNOWN.intersection(map(canonical, _OTHER_SEPARATORS.split(names[0])))
    mend = _SEPARATE if apart else _NAME
    raise ManifestError(
        f"{shown}: no column is called image or prompt (found: {listed(names) or 'none'}); {mend}."
    )


def listed(names: Sequence[str], most: int = 12) -> str:
    """*names* in a sentence, shortened."""
    shown = [f'"{name[:40]}"' for name in names[:most] if name]
    return ", ".join(shown) + (", …" if len(names) > most else "")
