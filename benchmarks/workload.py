"""The pictures and manifests that everything is measured with, made once."""

from __future__ import annotations

import io
import random
from pathlib import Path

from PIL import Image

_PICTURES = 8
_EDGE = 1024
#: Of noise, which does not compress: a JPEG of a megabyte, as cameras make them, out of a small picture.
_QUALITY = 91


class Workload:
    """Eight noisy JPEG of a megabyte each, under as many names as there are rows.

    Each row has a file of its own (a hard link), so that nothing which is known of one row's picture can help
    with another's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._originals = folder / "originals"
        self._linked = 0

    def manifest(self, rows: int) -> Path:
        """A manifest of *rows* rows, each with a picture and a prompt of its own."""
        self._link(rows)
        path = self.folder / f"rows-{rows}.csv"
        lines = (f"r{n},pictures/{n}.jpg,edit number {n}: make it brighter\n" for n in range(1, rows + 1))
        path.write_text("id,image,prompt\n" + "".join(lines))
        return path

    def prompts(self, rows: int) -> Path:
        """A manifest of *rows* rows that have a prompt and no picture."""
        path = self.folder / f"prompts-{rows}.csv"
        with path.open("w") as file:
            file.write("id,prompt\n")
            file.writelines(f"item-{n:07d},a photograph of item {n} on white\n" for n in range(1, rows + 1))
        return path

    def small(self, rows: int, files: int) -> Path:
        """A manifest of *rows* rows over *files* small pictures, all different."""
        folder = self.folder / "small"
        folder.mkdir(exist_ok=True)
        for n in range(files):
            Image.new("RGB", (32, 24), (n % 256, n // 256 % 256, 77)).save(
                folder / f"{n}.png", compress_level=1
            )
        path = self.folder / f"small-{rows}.csv"
        lines = (f"r{n},small/{n % files}.png,brighten {n}\n" for n in range(rows))
        path.write_text("id,image,prompt\n" + "".join(lines))
        return path

    def _link(self, rows: int) -> None:
        if not self._originals.exists():
            self._originals.mkdir()
            (self.folder / "pictures").mkdir()
            for n in range(_PICTURES):
                (self._originals / f"{n}.jpg").write_bytes(noisy_jpeg(n))
        for n in range(self._linked + 1, rows + 1):
            (self.folder / "pictures" / f"{n}.jpg").hardlink_to(self._originals / f"{n % _PICTURES}.jpg")
        self._linked = max(self._linked, rows)


def noisy_jpeg(seed: int) -> bytes:
    """A JPEG of about a megabyte, the same for the same *seed*."""
    noise = random.Random(seed).randbytes(_EDGE * _EDGE * 3)
    target = io.BytesIO()
    Image.frombytes("RGB", (_EDGE, _EDGE), noise).save(target, "JPEG", quality=_QUALITY)
    return target.getvalue()
