"""The three forms of the view."""

from __future__ import annotations

import io
import os
import pty
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec
import pytest
from rich.console import Console

from jobs.live import JsonView, Lines, open_view
from jobs.screen import Screen, ending, layout
from pipeline.record import Outcome
from pipeline.status import State, Status


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def status(done: int = 1180, **changes) -> Status:
    outcomes = {outcome.value: 0 for outcome in Outcome} | {"done": done, "failed": 30, "pending": 8790}
    plain = {
        "job": "20260801-120000-ab12cd",
        "out": "/jobs/x",
        "state": State.RUNNING,
        "rows": 10000,
        "outcomes": outcomes,
        "in_flight": 64,
        "cost_usd": 43.21,
        "images_per_minute": 76.2,
        "eta_seconds": 6921,
    }
    return Status(**plain | changes)


def drawn(status: Status, width: int, *, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, highlight=False
    )
    console.print(layout(status, width))
    return console.file.getvalue()


def test_a_wide_terminal():
    lines = [line.rstrip() for line in drawn(status(), 80).splitlines()]

    assert lines[0] == "20260801-120000-ab12cd running"
    assert lines[1].endswith("1,210 of 10,000 rows (12 %)")
    assert lines[2:] == [
        "  done     1,180  edited, decoded and checked",
        "  blocked      0  refused by policy",
        "  failed      30  gave up after the last attempt",
        "  invalid      0  could not be sent",
        "  pending  8,790",
        "64 in flight · 76.2 pictures a minute · $43.21 so far · 1 h 55 min left",
    ]


@pytest.mark.parametrize("width", [20, 36, 50, 80, 200])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rows": None, "outcomes": {}, "eta_seconds": None, "cost_usd": None},
        {
            "state": State.WAITING,
            "state_reason": "the day's quota is used up: it goes on at midnight Pacific",
        },
        {"verdicts": {"network": 12, "image": 4}},
    ],
)
def test_no_line_is_wider_than_the_terminal(width, changes):
    assert max(map(len, drawn(status(**changes), width).splitlines())) <= width


def test_reasons_and_troubles_are_shown():
    waiting = status(state=State.WAITING, state_reason="quota", verdicts={"throttled": 3})

    assert "waiting: quota" in drawn(waiting, 80)
    assert "answers without a picture: 3 throttled" in drawn(waiting, 80)


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch):
    assert "\x1b[3" in drawn(status(), 80, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    console.print(ending(status(state=State.FINISHED)))
    assert "\x1b[3" not in console.file.getvalue()


def test_the_screen_is_drawn_four_times_a_second_at_most():
    clock = Clock()
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    screen = Screen(console, clock)
    sizes = []
    for step in range(20):
        clock.now += 0.05
        screen.update(status(done=step))
        sizes.append(console.file.tell())
    screen.close()

    assert len(set(sizes)) == 4


def test_the_screen_is_given_back_with_a_summary_and_once():
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    screen = Screen(console, Clock())
    screen.update(status())
    screen.say("a line of talk")
    screen.close(status(state=State.FINISHED))
    shown = console.file.getvalue()
    screen.close(status())
    screen.update(status())

    assert "\x1b[?25l" in shown
    assert "\x1b[?25h" in shown
    assert "a line of talk" in shown
    assert "--outcome failed` says why" in shown
    assert console.file.getvalue() == shown


def test_plain_lines_come_first_on_news_and_every_ten_seconds(capsys):
    clock = Clock()
    lines = Lines(clock)

    def said_after(seconds: float, shown: Status) -> int:
        clock.now += seconds
        lines.update(shown)
        return len(capsys.readouterr().err.splitlines())

    assert said_after(0, status()) == 1
    assert said_after(9, status(done=2)) == 0
    assert said_after(2, status(done=3)) == 1
    assert said_after(1, status(state=State.WAITING, state_reason="12 s")) == 1
    assert said_after(1, status(state=State.WAITING, state_reason="11 s")) == 0
    assert said_after(1, status(state_reason="no worker")) == 1


def test_a_reason_that_was_just_said_is_not_said_again_at_the_end(capsys):
    view, halted = Lines(), status(state=State.HALTED, state_reason="denied: check the key")
    view.update(halted)
    view.close(halted)
    ending = capsys.readouterr().err

    assert ending.count("denied: check the key") == 1
    assert "20260801-120000-ab12cd halted\n" in ending

    Lines().close(halted)
    assert "20260801-120000-ab12cd halted: denied: check the key\n" in capsys.readouterr().err


def test_lines_hide_keys(capsys, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "key-of-somebody")

    Lines().say("refused: key-of-somebody")

    assert capsys.readouterr().err == "refused: [hidden]\n"


def test_json_is_alone_on_standard_output(capfdbinary):
    view = JsonView()
    view.update(status())
    view.update(status(state=State.WAITING, state_reason="a quota"))
    view.say("talk")
    view.close(status())
    view.close(status())

    said = capfdbinary.readouterr()
    assert msgspec.json.decode(said.out, type=Status) == status()
    assert said.err == b"waiting: a quota\ntalk\n"


def test_json_says_why_a_job_stopped_however_soon_it_did(capfdbinary):
    view = JsonView()
    view.update(status())
    view.close(status(state=State.HALTED, state_reason="denied: check the key"))

    assert capfdbinary.readouterr().err == b"halted: denied: check the key\n"


def test_without_a_terminal_nobody_is_asked(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    for view in (Lines(), JsonView(), Screen(Console(file=io.StringIO()))):
        assert not view.can_ask
        assert view.ask("Continue?") is None


class Person:
    """Sits at a terminal, of which *end* is the other end."""

    def __init__(self, end: int) -> None:
        self._end = end

    def types(self, text: bytes) -> None:
        os.write(self._end, text)

    def answers(self, question: bytes, text: bytes) -> None:
        """Type *text* once *question* can be read."""
        shown = b""
        while question not in shown:
            shown += os.read(self._end, 1000)
        self.types(text)


@contextmanager
def terminal(monkeypatch) -> Iterator[Person]:
    """Standard input and error are a terminal. No fixture: pytest takes standard error back."""
    ours, theirs = pty.openpty()
    with (
        open(theirs, closefd=False) as reading,
        open(theirs, "w", closefd=False) as writing,
        monkeypatch.context() as patched,
    ):
        patched.setattr("sys.stdin", reading)
        patched.setattr("sys.stderr", writing)
        yield Person(ours)
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("typed", "meant"), [(b"y\n", True), (b"YES\n", True), (b"\n", False), (b"n\n", False)]
)
def test_a_question_is_answered(monkeypatch, typed, meant):
    with terminal(monkeypatch) as person, ThreadPoolExecutor(1) as thread:
        thread.submit(person.answers, b"Continue?", typed)

        assert Lines().can_ask
        assert Lines().ask("Continue?") is meant


def test_what_was_typed_before_a_question_is_no_answer_to_it(monkeypatch):
    with terminal(monkeypatch) as person, ThreadPoolExecutor(1) as thread:
        person.types(b"y\n")
        thread.submit(person.answers, b"Continue?", b"n\n")

        assert Lines().ask("Continue?") is False


def test_a_question_that_is_open_ends_when_the_view_is_closed(monkeypatch):
    with terminal(monkeypatch):
        view = Lines()
        answers: list[bool | None] = []
        asking = threading.Thread(target=lambda: answers.append(view.ask("Continue?")))
        asking.start()
        view.close()
        asking.join(5)

    assert answers == [False]


def test_the_form_follows_the_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(open_view(json=True), JsonView)
    assert isinstance(open_view(), Lines)
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(open_view(), Screen)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(open_view(), Lines)
