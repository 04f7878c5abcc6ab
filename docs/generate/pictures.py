"""The screenshots of the documentation, taken of the newest job of ``make demo``: ``make pictures``.

Needs Chromium or Chrome. The emulator's pictures are alike from run to run, so that a new screenshot differs
only where the report does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

_ROOT = Path(__file__).resolve().parents[2]
_PICTURES = _ROOT / "docs" / "pictures"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: Width and height of the page in CSS pixels: the summary and the first rows.
_SEEN = (1100, 1180)
#: The pictures are in the README, where every reader fetches them.
_MOST_BYTES = 300_000


def main() -> None:
    """Take the report's screenshot.

    Raises:
        SystemExit: there is no browser or no demo, or the picture became too large.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    reports = sorted((_ROOT / "demo").glob("*/report.html"))
    if browser is None or not reports:
        sys.exit("run `make demo` first, and install Chromium")
    _PICTURES.mkdir(exist_ok=True)
    target = _PICTURES / "report.webp"
    with tempfile.TemporaryDirectory() as scratch:
        shot = Path(scratch, "report.png")
        _take(browser, reports[-1], shot, scratch)
        Image.open(shot).convert("RGB").save(target, quality=82, method=6)
    if target.stat().st_size > _MOST_BYTES:
        sys.exit(f"{target} has more than {_MOST_BYTES} bytes")


def _take(browser: str, page: Path, shot: Path, profile: str) -> None:
    width, height = _SEEN
    subprocess.run(  # noqa: S603 - our own page
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            f"--user-data-dir={profile}/profile",
            f"--window-size={width},{height}",
            f"--screenshot={shot}",
            page.as_uri(),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    main()
