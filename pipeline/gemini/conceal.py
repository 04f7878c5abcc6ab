"""Replies without our key, which a server or a gateway may echo in anything it says."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.gemini.redact import hidden
from pipeline.gemini.wire import Reply


def concealed(reply: Reply, key: str) -> Reply:
    """*reply* without *key*. It is decoded already, so escapes in the JSON cannot disguise the key."""
    raw = msgspec.to_builtins(reply)
    _conceal_split(raw, key)
    return msgspec.convert(_without(raw, key), Reply)


def _conceal_split(raw: dict[str, Any], key: str) -> None:
    """Hide a key that is spread over several parts: their texts are joined later on."""
    spoken = [
        part
        for candidate in raw["candidates"]
        for part in (candidate["content"] or {"parts": ()})["parts"]
        if part["text"] and not part["thought"]
    ]
    text = "".join(part["text"] for part in spoken)
    kept = hidden(text, key)
    if kept != text:
        for part in spoken:
            part["text"] = None
        spoken[0]["text"] = kept


def _without(value: Any, key: str) -> Any:
    """*value*, made of dicts and lists, with *key* hidden in every string."""
    if isinstance(value, str):
        return hidden(value, key)
    if isinstance(value, dict):
        return {name: _without(each, key) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without(each, key) for each in value]
    return value
