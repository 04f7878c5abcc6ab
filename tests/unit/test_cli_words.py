"""A status in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import words
from pipeline.record import Outcome
from pipeline.status import State, Status


def status(**changes) -> Status:
    outcomes = {outcome.value: 0 for outcome in Outcome} | {"pending": 7, "done": 2, "failed": 1}
    plain = {
        "job": "20260801-120000-ab12cd",
        "out": "/jobs/x",
        "state": State.RUNNING,
        "rows": 10,
        "outcomes": outcomes,
        "calls": 4,
        "in_flight": 3,
        "cost_usd": 0.1,
        "images_per_minute": 12.0,
        "eta_seconds": 35.0,
    }
    return Status(**plain | changes)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (600, "10 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (6900, "1 h 55 min"),
        (2 * 86400, "2 days 0 h"),
        (5 * 86400 + 3 * 3600, "5 days 3 h"),
    ],
)
def test_durations(seconds, said):
    assert words.duration(seconds) == said


def test_a_running_job_in_one_line():
    assert words.one_line(status()) == (
        "running · 3 of 10 rows (30 %) · 2 done, 1 failed · 3 in flight · 12.0 pictures a minute · $0.1000 so far"
        " · 35 s left"
    )


def test_uploads_are_told_of_while_there_are_some():
    assert "· 3 in flight · 2 uploading · 12.0 pictures" in words.one_line(status(uploading=2))


def test_the_cost_is_held_against_the_budget():
    assert "· $1.20 of $5.00 ·" in words.one_line(status(cost_usd=1.2, budget_usd=5))
    assert "· at least $1.20 of $5.00 ·" in words.one_line(
        status(cost_usd=1.2, budget_usd=5, calls_unknown=1)
    )
    assert "· unknown so far ·" in words.one_line(status(cost_usd=None, budget_usd=5))
    assert (
        words.pace_line(status(state=State.FINISHED, cost_usd=1.2, budget_usd=5, eta_seconds=None)) == "$1.20"
    )


def test_what_is_unknown_is_not_called_0():
    unknown = status(rows=None, cost_usd=None, images_per_minute=None, eta_seconds=None)

    assert words.one_line(unknown) == (
        "running · 3 rows; the manifest is still being read · 2 done, 1 failed · 3 in flight · unknown so far"
    )


def test_a_whole_percent_is_said_of_a_whole_job_only():
    almost = status(rows=1_000_000, outcomes={"done": 999_999})

    assert "(99 %)" in words.rows_line(almost)


def test_troubles_are_named_the_most_frequent_first():
    seen = status(verdicts={"image": 9, "network": 3, "throttled": 20, "blocked": 0})

    assert words.troubles_line(seen) == "20 throttled, 3 network"


def test_the_summary_says_where_things_are_and_what_to_do_next():
    ended = status(
        state=State.FINISHED,
        rows=6,
        outcomes={"done": 2, "blocked": 1, "failed": 2, "invalid": 1, "cancelled": 0, "pending": 0},
        calls_unknown=1,
    )

    assert words.summary(ended) == [
        "20260801-120000-ab12cd finished",
        "2 done, 1 blocked, 2 failed, 1 invalid, of 6 rows; 4 calls, at least $0.1000",
        "1 call without an answer, may have been paid for",
        "in /jobs/x: results.csv, report.html, images/",
        (
            "2 failed: `retouch results 20260801-120000-ab12cd --outcome failed` says why, "
            "`retouch retry 20260801-120000-ab12cd` tries them again"
        ),
        "1 blocked: `retouch results 20260801-120000-ab12cd --outcome blocked` says why",
        "1 invalid: `retouch results 20260801-120000-ab12cd --outcome invalid` shows line and reason",
    ]


def test_a_halted_job_says_why_and_how_to_go_on():
    halted = status(state=State.HALTED, state_reason="the key was refused: make a new one")

    lines = words.summary(halted)
    assert lines[0] == "20260801-120000-ab12cd halted: the key was refused: make a new one"
    assert lines[-1] == "once that is fixed, the same command continues from here"


def test_a_job_that_goes_on_by_itself_asks_for_nothing():
    assert words.summary(status(state=State.QUEUED))[-1].endswith("watch 20260801-120000-ab12cd` follows it")


def test_a_job_of_no_rows_is_whole():
    assert words.share_settled(status(rows=0, outcomes={})) == 1.0


@given(st.text())
def test_what_is_printed_moves_no_cursor(text):
    assert words.printable(text).isprintable()
    assert len(words.printable(text)) == len(text)


def test_a_budget_says_what_it_holds_for_calls_without_an_answer():
    paused = status(state=State.PAUSED, state_reason="budget: the next call would pass it", calls_unknown=2)

    said = "2 calls without an answer, may have been paid for; the budget counts them as paid"
    assert said in words.summary(paused)
