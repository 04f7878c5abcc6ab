"""The prebuilt answer of the benchmark server: a real picture of a real answer's size."""

from __future__ import annotations

import base64
import io
import json
import random

from PIL import Image, ImageChops

_EDGE = 1024
_NOISE_LEVELS = 19  # of 256: makes a PNG of 1.9 MB, as photographs are, out of a picture this size
_SEED = 20261122


def canned_picture() -> bytes:
    """A PNG of 1024x1024 and about 1.9 MB: a soft gradient under noise, the same bytes every time."""
    noise = random.Random(_SEED).randbytes(_EDGE * _EDGE * 3)  # noqa: S311 - noise that repeats
    table = bytes(value * _NOISE_LEVELS // 256 for value in range(256))
    grain = Image.frombytes("RGB", (_EDGE, _EDGE), noise.translate(table))
    slope = Image.linear_gradient("L").resize((_EDGE, _EDGE)).point([value * 3 // 4 for value in range(256)])
    picture = ImageChops.add(Image.merge("RGB", (slope, slope.rotate(90), slope.rotate(180))), grain)
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def canned_body() -> bytes:
    """The JSON of an answer with that picture, about 2.6 MB."""
    signature = random.Random(_SEED + 1).randbytes(1024)  # noqa: S311
    part = {
        "inlineData": {"mimeType": "image/png", "data": base64.b64encode(canned_picture()).decode("ascii")},
        "thoughtSignature": base64.b64encode(signature).decode("ascii"),
    }
    document = {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 1700,
            "candidatesTokenCount": 1120,
            "totalTokenCount": 2993,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 20},
                {"modality": "IMAGE", "tokenCount": 1680},
            ],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
            "thoughtsTokenCount": 173,
        },
        "modelVersion": "gemini-nano-banana-2.1",
        "responseId": "Y2FubmVkLWFuc3dlcg",
    }
    return json.dumps(document, indent=2).encode("ascii")
