"""Answers of the Files API (gemini-api.md 6)."""

from __future__ import annotations

from typing import Any

from pipeline.gemini.emulator.answers.reply import Reply


def file(
    _order: Any, *, final: str = "ACTIVE", polls: int = 0, error: str = "", seconds: float = 172_800.0
) -> Reply:
    """On ``finish``: a file that is PROCESSING for so many polls, then ``final``, and lives so long."""
    return Reply(document={"final": final, "polls": polls, "error": error, "seconds": seconds})


def elsewhere(_order: Any, *, url: str = "https://elsewhere.example/upload?upload_id=x") -> Reply:
    """On ``start``: another address for the bytes than the API's own."""
    return Reply(document={}, headers={"X-Goog-Upload-Status": "active", "X-Goog-Upload-URL": url})
