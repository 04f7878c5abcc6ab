"""Pages of the documentation, done step by step as they say it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import EmulatorProcess
from tests.e2e.reader import Reader
from tests.markdown import ROOT

_DOCS = ROOT / "docs"
_SHOP = """image,prompt,id
coffee.jpg,"Put the cup on a seamless white background.",coffee
cat.webp,"Replace the background by a plain, light blue wall.",cat
portrait.jpg,"Let her smile.",portrait
"""


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A reader's folder with three pictures."""
    folder = tmp_path / "folder"
    (folder / "photos").mkdir(parents=True)
    pictures = {"coffee.jpg": "coffee.jpg", "cat.webp": "chelsea.webp", "portrait.jpg": "astronaut.jpg"}
    for name, copied in pictures.items():
        shutil.copyfile(ROOT / "examples" / "pictures" / copied, folder / name)
    for name in ("shirt.jpg", "model.jpg"):
        shutil.copyfile(ROOT / "examples" / "pictures" / "coffee.jpg", folder / "photos" / name)
    return folder


@pytest.fixture
def shop(folder: Path) -> Path:
    """The same, with the manifest of the how-tos."""
    (folder / "shop.csv").write_text(_SHOP)
    return folder


def test_the_tutorial_can_be_followed(folder):
    port = free_port()
    meant = {"127.0.0.1:8080": f"127.0.0.1:{port}", "retouch emulator": f"retouch emulator --port {port}"}

    assert Reader(_DOCS / "tutorial.md", folder, meant).follow() >= 8


def test_trying_things_without_a_key_can_be_followed(shop):
    port = free_port()
    meant = {"127.0.0.1:8080": f"127.0.0.1:{port}", "retouch emulator": f"retouch emulator --port {port}"}

    assert Reader(_DOCS / "how-to/emulator.md", shop, meant).follow() >= 2


@pytest.mark.parametrize("page", ["manifest", "budget", "retry", "waits-and-halts"])
def test_a_how_to_can_be_followed(page, shop, start_emulator: Callable[..., EmulatorProcess]):
    emulator = start_emulator(*(["--fault", "refused contains=smile times=2"] if page == "retry" else []))
    reader = Reader(_DOCS / "how-to" / f"{page}.md", shop, {})
    reader.environment |= {"GOOGLE_GEMINI_BASE_URL": emulator.url, "GEMINI_API_KEY": "any"}
    if page == "retry":
        reader.run("retouch run shop.csv --out sale", code=1)

    assert reader.follow() >= 1


def test_workers_on_several_hosts_can_be_followed(
    shop, redis_url, start_emulator: Callable[..., EmulatorProcess]
):
    """The Redis is there already: its command stands for any."""
    reader = Reader(_DOCS / "how-to/several-hosts.md", shop, {})
    reader.environment |= {
        "GOOGLE_GEMINI_BASE_URL": start_emulator().url,
        "GEMINI_API_KEY": "any",
        "RETOUCH_REDIS_URL": redis_url,
        "RETOUCH_STORE": str(shop / "store"),
    }

    assert reader.follow() >= 2


def test_object_stores_can_be_followed(shop, start_emulator: Callable[..., EmulatorProcess]):
    port = free_port()
    meant = {"127.0.0.1:5000": f"127.0.0.1:{port}", "-p 5000": f"-p {port}"}
    reader = Reader(_DOCS / "how-to/object-stores.md", shop, meant)
    reader.environment |= {"GOOGLE_GEMINI_BASE_URL": start_emulator().url, "GEMINI_API_KEY": "any"}

    assert reader.follow() >= 2
