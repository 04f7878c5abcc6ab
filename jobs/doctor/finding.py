"""The result of a check: fine, a warning, or a fault."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Grade(StrEnum):
    """How serious it is. A *fault* prevents jobs from running; a *warning* may cost time or money or surprise you."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


class Finding(msgspec.Struct, frozen=True):
    """The result of one check.

    Attributes:
        check: what was checked, one word.
        grade: how serious it is.
        text: what was found.
        mend: how to fix it, in one sentence; ``None`` if there is nothing to do.
    """

    check: str
    grade: Grade
    text: str
    mend: str | None = None


def ok(check: str, text: str) -> Finding:
    """Everything is fine."""
    return Finding(check, Grade.OK, text)


def warning(check: str, text: str, mend: str) -> Finding:
    """Something that may cost time or money, or surprise you."""
    return Finding(check, Grade.WARNING, text, mend)


def fault(check: str, text: str, mend: str) -> Finding:
    """Something that prevents jobs from running."""
    return Finding(check, Grade.FAULT, text, mend)
