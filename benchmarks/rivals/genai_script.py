"""What one writes without retouch: google-genai, asyncio, a semaphore, Pillow. ``MANIFEST URL SLOTS FOLDER``.

It reads each picture, asks for the edit, decodes the answer whole to see that it is a picture, and writes it as it
came. No retries, no records, no checks beside that: everything that retouch does more, it does at its own expense.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import sys
from pathlib import Path

from google import genai
from google.genai import types
from PIL import Image

MODEL = "gemini-nano-banana-2.1"
CONFIG = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"])


async def edit(client: genai.Client, picture: Path, prompt: str, target: Path) -> None:
    given = types.Part.from_bytes(data=picture.read_bytes(), mime_type="image/jpeg")  # noqa: ASYNC240 - as a plain script does
    answer = await client.aio.models.generate_content(model=MODEL, contents=[given, prompt], config=CONFIG)
    for part in answer.parts or ():
        if part.inline_data and part.inline_data.data:
            Image.open(io.BytesIO(part.inline_data.data)).load()
            target.with_suffix(".png").write_bytes(part.inline_data.data)


async def main(manifest: Path, url: str, slots: int, folder: Path) -> None:
    client = genai.Client(api_key=os.environ["GEMINI_API_KEY"], http_options=types.HttpOptions(base_url=url))
    free = asyncio.Semaphore(slots)

    async def one(row: dict[str, str]) -> None:
        async with free:
            await edit(client, manifest.parent / row["image"], row["prompt"], folder / row["id"])

    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    await asyncio.gather(*map(one, rows))
    await client.aio.aclose()


if __name__ == "__main__":
    Path(sys.argv[4]).mkdir()
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
