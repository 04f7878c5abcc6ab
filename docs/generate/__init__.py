"""The pages of ``docs/reference/`` that are made from the code, so that they cannot say anything else.

``python -m docs.generate`` writes them (`make fix` does, too); ``tests/unit/test_docs_reference.py`` fails when what
is committed is not what would be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate import commands, emulator, events, exit_codes, metrics, models, records, settings, verdicts

REFERENCE = Path(__file__).resolve().parents[1] / "reference"

_NOTE = "<!-- Made from the code by `python -m docs.generate`: change it there. -->\n\n"

_PAGES: Mapping[str, Callable[[], str]] = {
    "commands.md": commands.page,
    "settings.md": settings.page,
    "records.md": records.page,
    "verdicts.md": verdicts.page,
    "exit-codes.md": exit_codes.page,
    "metrics.md": metrics.page,
    "events.md": events.page,
    "models.md": models.page,
    "emulator.md": emulator.page,
}


def pages() -> dict[str, str]:
    """The name of each page and its text."""
    return {name: _NOTE + make().rstrip() + "\n" for name, make in _PAGES.items()}
