"""The pages that are made from the code say what the code says, and leave nothing out."""

from __future__ import annotations

import pytest

from docs.generate import REFERENCE, commands, events, pages, records, settings, verdicts
from pipeline.attempt import Verdict


@pytest.mark.parametrize("name", sorted(pages()))
def test_what_is_committed_is_what_would_be_made(name):
    committed = (REFERENCE / name).read_text(encoding="utf-8")

    assert committed == pages()[name], f"docs/reference/{name} is out of step: run `make fix`, and commit it"


def test_every_variable_in_the_code_is_described():
    assert settings.named_in_code() == set(settings.OWN) | (settings.named_in_code() & settings.of_options())


def test_every_field_is_described():
    assert [(kind, name) for kind, name, text in records.fields() if not text] == []


def test_every_verdict_has_an_answer_that_comes_to_it():
    # A process that died gives no answer.
    assert verdicts.judged() == set(Verdict) - {Verdict.INTERRUPTED}


def test_every_code_of_a_fault_is_described():
    assert verdicts.codes_in_code() == set(verdicts.FAULTS)


def test_every_command_has_a_heading():
    page = pages()["commands.md"]

    for path, _ in commands.documented():
        assert f"# {path}\n" in page


def test_every_line_of_the_log_begins_with_the_name_of_what_happened():
    assert [line for line in events.lines() if not events.EVENT.match(line.template)] == []
