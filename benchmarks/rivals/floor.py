"""The floor: httpx over the aiohttp transport, streaming both ways, and nothing else. ``MANIFEST URL SLOTS``.

Pictures are read and encoded in pieces while they are sent; answers are read in pieces and dropped. Nothing is
decoded, checked or written, so that no program which does its work over this transport can be cheaper.
"""

from __future__ import annotations

import asyncio
import csv
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import httpx
import pybase64
from httpx_aiohttp import AiohttpTransport

PATH = "/v1beta/models/gemini-nano-banana-2.1:generateContent"
HEAD = b'{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/jpeg","data":"'
TAIL = b'"}},{"text":"brighten"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}'
PIECE = 48 * 1024  # a multiple of three, so that the encoded pieces join
READ = 128 * 1024


async def body(picture: Path) -> AsyncIterator[bytes]:
    yield HEAD
    with picture.open("rb") as file:
        while piece := file.read(PIECE):
            yield pybase64.b64encode(piece)
    yield TAIL


def length_of(picture: Path) -> int:
    return len(HEAD) + 4 * ((picture.stat().st_size + 2) // 3) + len(TAIL)


async def call(http: httpx.AsyncClient, url: str, picture: Path) -> None:
    headers = {
        "content-type": "application/json",
        "content-length": str(length_of(picture)),
        "x-goog-api-key": os.environ["GEMINI_API_KEY"],
    }
    async with http.stream("POST", url + PATH, headers=headers, content=body(picture)) as answer:
        answer.raise_for_status()
        cast("Any", answer.stream).CHUNK_SIZE = READ
        async for _ in answer.aiter_raw():
            pass


async def main(manifest: Path, url: str, slots: int) -> None:
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=slots), trust_env=False)

    free = asyncio.Semaphore(slots)
    async with httpx.AsyncClient(transport=AiohttpTransport(client=session), timeout=None) as http:

        async def one(row: dict[str, str]) -> None:
            async with free:
                await call(http, url, manifest.parent / row["image"])

        with manifest.open(newline="") as file:
            rows = list(csv.DictReader(file))
        await asyncio.gather(*map(one, rows))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
