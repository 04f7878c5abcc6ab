"""Calls to the emulator as a plain HTTP client makes them."""

from __future__ import annotations

import asyncio
import base64
import io

from PIL import Image

from pipeline.gemini.emulator import Studio

SMALL = Studio(shrink=6)
PATH = "/v1beta/models/gemini-nano-banana-2.1:generateContent"
KEY = {"x-goog-api-key": "k"}


def png(size=(64, 48)) -> bytes:
    target = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(target, "PNG")
    return target.getvalue()


def body(prompt="draw [[row-1]]", picture: bytes | None = None) -> dict:
    parts: list[dict] = [{"text": prompt}]
    if picture is not None:
        parts.insert(0, {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(picture).decode()}})
    return {"contents": [{"parts": parts}]}


async def post(http, document=None, path=PATH, **arguments):
    async with http.post(path, json=body() if document is None else document, **arguments) as response:
        text = await response.read()
        return response.status, text


async def entries(emulator, count=1):
    """The ledger's entries once that many calls have ended."""
    for _ in range(400):
        closed = [call for call in emulator.ledger.calls() if not call.open]
        if len(closed) >= count:
            return closed
        await asyncio.sleep(0.005)
    raise AssertionError("the calls did not end")
