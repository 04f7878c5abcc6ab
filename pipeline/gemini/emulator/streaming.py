"""``streamGenerateContent``: the same answers, a part at a time (gemini-api.md section 8)."""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from pipeline.gemini.emulator.answers.reply import Reply


class Framing(enum.Enum):
    """How an answer is written: as one document, as an array of them, or as server-sent events."""

    DOCUMENT = "document"
    ARRAY = "array"
    EVENTS = "events"


def framing_of(request: web.Request) -> Framing:
    """What the method and ``alt`` of a call ask for."""
    if request.match_info.get("method") != "streamGenerateContent":
        return Framing.DOCUMENT
    alt = request.query.get("alt") or request.query.get("$alt")
    return Framing.EVENTS if alt == "sse" else Framing.ARRAY


def framed(reply: Reply, framing: Framing) -> Reply:
    """*reply* in this framing; what is not JSON is unchanged.

    An error is part of the array; if events were requested, it is a document instead of them.
    """
    if framing is Framing.DOCUMENT or reply.raw is not None:
        return reply
    if framing is Framing.EVENTS and reply.status == 200:
        events = (json.dumps(chunk, ensure_ascii=False) for chunk in chunks(reply.document))
        raw = "".join(f"data: {event}\r\n\r\n" for event in events).encode("utf-8", "surrogatepass")
        return replace(reply, raw=raw, content_type="text/event-stream")
    return reply if framing is Framing.EVENTS else replace(reply, document=chunks(reply.document))


def chunks(document: Any) -> list[Any]:
    """A document for each part of an answer, the last of them with the reason why it ended."""
    candidates = document.get("candidates") if isinstance(document, dict) else None
    if not candidates or not isinstance(candidates, list):
        return [document]
    candidate = candidates[0]
    content = candidate.get("content") or {}
    parts: Sequence[Any] = content.get("parts") or ()
    if len(parts) < 2:
        return [document]
    beside = {name: value for name, value in document.items() if name != "candidates"}
    began = [
        {"candidates": [{"content": {**content, "parts": [part]}, "index": 0}], **beside}
        for part in parts[:-1]
    ]
    return [*began, {"candidates": [{**candidate, "content": {**content, "parts": parts[-1:]}}], **beside}]
