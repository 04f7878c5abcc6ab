"""Lists a page at a time, as the API gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from aiohttp import web

from pipeline.gemini.emulator.google_errors import invalid


class Listed(Protocol):
    """Something that a list can hold."""

    def document(self) -> dict[str, Any]:
        """Its JSON."""
        ...


def page_of(request: web.Request, name: str, items: Sequence[Listed], size: int) -> web.Response:
    """The page of *items* that *request* asks for, under *name*; *size* is the default of ``pageSize``."""
    try:
        start = int(request.query.get("pageToken") or 0)
        count = int(request.query.get("pageSize") or size)
    except ValueError as error:
        raise invalid("Invalid pageSize or pageToken.") from error
    if start < 0 or count < 0:
        raise invalid("Invalid pageSize or pageToken.")
    page: dict[str, Any] = {name: [item.document() for item in items[start : start + count]]}
    if start + count < len(items):
        page["nextPageToken"] = str(start + count)
    return web.json_response(page)
