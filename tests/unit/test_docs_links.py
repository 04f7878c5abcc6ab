"""What our Markdown pages point to is there: files, headings in them, and the modules they name."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.markdown import PAGES, ROOT, without_blocks

_LINK = re.compile(r"\]\((?!\w+:)([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings of *page* as GitHub and MkDocs name them."""
    titles = [
        re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", title) for title in _HEADING.findall(without_blocks(page))
    ]
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in _LINK.findall(without_blocks(page)):
        name, _, anchor = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page

        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link}: there is no such heading"


_PATH = re.compile(
    r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|lua|toml|yml)|(?:pipeline|workers|jobs|tests|docs)/[\w/]*)`"
)
_ABOUT_CODE = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs" / "architecture.md",
    *(ROOT / "docs" / "explanation").glob("*.md"),
]


@pytest.mark.parametrize("page", _ABOUT_CODE, ids=lambda page: page.name)
def test_modules_that_a_page_names_are_there(page):
    """A name without its folder is that of a neighbour of the one before."""
    folder = ROOT
    for name in _PATH.findall(page.read_text(encoding="utf-8")):
        found = [path for path in (ROOT / name, folder / name, folder.parent / name) if path.exists()]

        assert found, f"{name} is not there"
        folder = found[0].parent if found[0].is_file() else found[0]


def test_the_architecture_names_every_package():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = [
        path.parent for name in ("pipeline", "workers", "jobs") for path in (ROOT / name).rglob("__init__.py")
    ]
    named = [str(path.relative_to(ROOT)) for path in packages]

    assert [name for name in named if f"{name}/" not in text] == []
