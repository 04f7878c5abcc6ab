"""What a job edits, how, and within which limits. Even ``--help`` imports this, so it imports almost nothing."""

from __future__ import annotations

from typing import Any

import msgspec


class EditOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a job that its specification keeps: chosen on the command line, frozen in ``job.json``.

    Attributes:
        manifest: a file, a folder, a glob or ``-``.
        max_in_flight: calls at a time, in each process.
        rpm: calls per minute over all workers; ``None``: no limit of ours.
        budget: dollars; ``None``: no budget.
        attempts: counted tries per row.
        timeout: seconds per call.
        limit: only the first so many rows; ``None``: all.
        repeat: variations of each row.
    """

    manifest: str
    model: str
    prompt: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    max_in_flight: int = 64
    rpm: float | None = None
    budget: float | None = None
    attempts: int = 3
    timeout: float = 300.0
    limit: int | None = None
    repeat: int = 1
    reuse: bool = False
    allow_outside: bool = False
    allow_private_urls: bool = False

    def edit_options(self) -> dict[str, Any]:
        """Only these options, by name, even of a subclass."""
        return {name: getattr(self, name) for name in EditOptions.__struct_fields__}
