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
    for name in ("photos", "shoes"):
        (folder / name).mkdir(parents=True)
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


@pytest.fixture
def server() -> str:
    """Where a server of the reader's own may listen, in place of the usual port."""
    return f"127.0.0.1:{free_port()}"


def test_the_tutorial_can_be_followed(folder, server):
    reader = Reader(_DOCS / "tutorial.md", folder, {**emulator_at(free_port()), "localhost:6379": server})
    reader.environment["RETOUCH_REDIS_URL"] = f"redis://{server}/0"

    assert reader.follow() >= 8


def test_trying_things_without_a_key_can_be_followed(shop):
    assert Reader(_DOCS / "how-to/emulator.md", shop, emulator_at(free_port())).follow() >= 3


def emulator_at(port: str) -> dict[str, str]:
    return {"127.0.0.1:8080": f"127.0.0.1:{port}", "retouch emulator": f"retouch emulator --port {port}"}


@pytest.mark.parametrize("page", ["manifest", "prompts", "budget", "retry", "waits-and-halts"])
def test_a_how_to_can_be_followed(page, shop, start_emulator: Callable[..., EmulatorProcess]):
    emulator = start_emulator(*(["--fault", "refused contains=smile times=2"] if page == "retry" else []))
    reader = Reader(_DOCS / "how-to" / f"{page}.md", shop, {})
    reader.environment |= {"GOOGLE_GEMINI_BASE_URL": emulator.url, "GEMINI_API_KEY": "any"}
    if page == "retry":
        reader.run("retouch run shop.csv --out sale", code=1)

    assert reader.follow() >= 1


def test_object_stores_can_be_followed(shop, start_emulator: Callable[..., EmulatorProcess]):
    port = free_port()
    meant = {"127.0.0.1:5000": f"127.0.0.1:{port}", "-p 5000": f"-p {port}"}
    reader = Reader(_DOCS / "how-to/object-stores.md", shop, meant)
    reader.environment |= {"GOOGLE_GEMINI_BASE_URL": start_emulator().url, "GEMINI_API_KEY": "any"}

    assert reader.follow() >= 2


def test_the_readme_can_be_followed(shop, server, start_emulator: Callable[..., EmulatorProcess]):
    """What it installs is installed, and what it makes other tests make."""
    for colour in ("red", "blue"):
        shutil.copyfile(shop / "coffee.jpg", shop / "shoes" / f"{colour}.jpg")
    reader = Reader(ROOT / "README.md", shop, {"localhost:6379": server}, left_out=("make ", "uv "))
    reader.environment |= {
        "GOOGLE_GEMINI_BASE_URL": start_emulator().url,
        "GEMINI_API_KEY": "any",
        "RETOUCH_REDIS_URL": f"redis://{server}/0",
    }

    assert reader.follow() >= 4


def test_schedules_can_be_followed(shop, server, start_emulator: Callable[..., EmulatorProcess]):
    reader = Reader(_DOCS / "how-to/schedules.md", shop, {"localhost:6379": server})
    reader.environment |= {
        "GOOGLE_GEMINI_BASE_URL": start_emulator().url,
        "GEMINI_API_KEY": "any",
        "RETOUCH_REDIS_URL": f"redis://{server}/0",
    }

    assert reader.follow() >= 3
