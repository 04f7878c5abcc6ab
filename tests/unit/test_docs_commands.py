"""Every command line that our pages show is one that the program takes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from jobs.cli.app import retouch
from jobs.cli.table import COMMANDS
from tests.markdown import PAGES, ROOT, blocks

_MAKE = re.compile(r"^(?:.*\bmake) +([a-z]+)\b", re.MULTILINE)
_TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


def command_lines() -> Iterator[tuple[str, str]]:
    """Where it stands, and each line of a shell block that calls retouch."""
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        for block in blocks(page):
            if block.language in ("sh", "console"):
                where = f"{page.relative_to(ROOT)}:{block.line}"
                for line in re.sub(r"\\\n", " ", block.text).splitlines():
                    yield from ((where, words) for words in calls(line.removeprefix("$ ")))


def calls(line: str) -> Iterator[str]:
    """The calls of retouch in a line, those in pipes and in ``$(…)`` included."""
    lexer = shlex.shlex(re.sub(r"\$\(([^)]*)\)", r"JOB ; \1 ;", line), posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|;&<>"):
            if "retouch" in words[:-1] and not {"uv", "pipx", "pip"}.intersection(words):
                yield shlex.join(words[words.index("retouch") :])
            words = [">"] if set(word) <= set("<>") else []
        else:
            words.append(word)


@pytest.mark.parametrize(("where", "line"), sorted(set(command_lines())))
def test_a_command_line_is_one_that_retouch_takes(where, line):
    group: click.Command = retouch()
    context = click.Context(group, info_name="retouch")
    words = shlex.split(line)[1:]
    while words and words[0] in ("-v", "--debug"):
        del words[0]
    if words in (["--version"], ["--help"]):
        return
    while isinstance(group, click.Group):
        name, found, words = group.resolve_command(context, words)
        assert found is not None
        group = found
        if isinstance(group, click.Group):
            context = click.Context(group, info_name=name, parent=context)
    group.make_context(group.name, words, parent=context)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_what_is_to_be_made_can_be_made(name):
    named = {
        target
        for block in blocks(ROOT / name)
        if block.language == "sh"
        for target in _MAKE.findall(block.text)
    }

    assert named
    assert named <= set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))


def test_the_readme_names_every_command():
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Commands")[2].partition("## ")[0]

    assert [name for name in COMMANDS if not re.search(rf"`{name}\b", table)] == []
