"""What our pages point to is there, and so is what the code points to: files, headings, pages and modules."""

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


_CODE = [
    path
    for name in ("pipeline", "workers", "jobs", "docs")
    for path in (ROOT / name).rglob("*")
    if path.suffix in {".py", ".lua", ".toml"}
]
_PAGE = re.compile(r"\b([\w-]+\.md)\b")
#: In prose: many a variable is called *jobs*.
_DOTTED = re.compile(r"""(?:[`"(]|as )((?:pipeline|workers|jobs)(?:\.\w+)+)[`"): ]""")


def test_pages_that_the_code_names_are_there():
    """A comment that sends its reader to a page that nobody has is worse than none."""
    there = {path.name for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]}
    named = [(path, page) for path in _CODE for page in _PAGE.findall(path.read_text(encoding="utf-8"))]

    assert [f"{path.relative_to(ROOT)}: {page}" for path, page in named if page not in there] == []


def test_modules_that_comments_name_are_there():
    """``pipeline.limits.pace.book``: a module, and a word that stands in it."""
    lost = []
    for path in _CODE:
        named = _DOTTED.findall(path.read_text(encoding="utf-8"))
        lost += [f"{path.relative_to(ROOT)}: {dotted}" for dotted in named if not _is_there(dotted)]

    assert lost == []


def _is_there(dotted: str) -> bool:
    """Whether the longest part of *dotted* that is a package or a module holds what follows it."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        module = place.with_suffix(".py")
        if module.is_file():
            return length == len(parts) or parts[length] in module.read_text(encoding="utf-8")
        if place.is_dir():
            rest = parts[length:]
            return not rest or rest[0] in (place / "__init__.py").read_text(encoding="utf-8")
    return False
