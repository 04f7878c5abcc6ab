"""Write the pages that are made from the code."""

from __future__ import annotations

from docs.generate import REFERENCE, pages

for name, text in pages().items():
    (REFERENCE / name).write_text(text, encoding="utf-8")
