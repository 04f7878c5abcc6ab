"""Options and their variables become what is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import click
import pytest

from jobs.cli.app import command_line
from jobs.cli.options import asked_for
from jobs.cli.table import COMMANDS
from pipeline.models import catalogue


def asked(*words: str, command: str = "run"):
    made = COMMANDS[command].declare()
    return asked_for(made.make_context(command, ["shop.csv", *words]).params)


def test_the_defaults_are_those_of_the_contract():
    plain = asked()

    assert plain.manifest == "shop.csv"
    assert plain.store == "./retouch-jobs"
    assert plain.model == catalogue().default
    assert (plain.max_in_flight, plain.attempts, plain.timeout, plain.repeat) == (64, 3, 300.0, 1)
    assert (plain.rpm, plain.budget, plain.limit, plain.out) == (None, None, None, None)
    assert (plain.aspect_ratio, plain.image_size, plain.prompt) == (None, None, None)
    assert plain.confirm_above == 10
    assert not any(getattr(plain, name.replace("-", "_")) for name in [*SWITCHES, "upload"])


VALUES = [
    ("--out", "folder", "out", "folder"),
    ("--prompt", "make it blue", "prompt", "make it blue"),
    ("--model", "other", "model", "other"),
    ("--aspect-ratio", "16:9", "aspect_ratio", "16:9"),
    ("--image-size", "2K", "image_size", "2K"),
    ("--max-in-flight", "7", "max_in_flight", 7),
    ("--rpm", "2.5", "rpm", 2.5),
    ("--budget", "0", "budget", 0),
    ("--attempts", "1", "attempts", 1),
    ("--timeout", "0.5", "timeout", 0.5),
    ("--limit", "5", "limit", 5),
    ("--repeat", "2", "repeat", 2),
    ("--confirm-above", "0", "confirm_above", 0),
]
SWITCHES = ["reuse", "allow-outside", "allow-private-urls", "yes"]


@pytest.mark.parametrize("command", ["run", "check", "submit"])
@pytest.mark.parametrize(("flag", "text", "name", "value"), VALUES)
def test_each_option_and_its_variable_say_the_same(monkeypatch, command, flag, text, name, value):
    assert getattr(asked(flag, text, command=command), name) == value

    monkeypatch.setenv("RETOUCH_" + flag[2:].upper().replace("-", "_"), text)
    assert getattr(asked(command=command), name) == value


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_can_be_set_and_taken_back(monkeypatch, name):
    attribute, variable = name.replace("-", "_"), "RETOUCH_" + name.upper().replace("-", "_")

    assert getattr(asked(f"--{name}"), attribute) is True
    for text, meant in [
        ("1", True),
        ("yes", True),
        ("TRUE", True),
        ("0", False),
        ("off", False),
        ("", False),
    ]:
        monkeypatch.setenv(variable, text)
        assert getattr(asked(), attribute) is meant
    monkeypatch.setenv(variable, "1")
    assert getattr(asked(f"--no-{name}"), attribute) is False


def test_a_flag_beats_the_environment(monkeypatch):
    monkeypatch.setenv("RETOUCH_RPM", "5")
    monkeypatch.setenv("RETOUCH_STORE", "s3://bucket/jobs")

    assert asked("--rpm", "9").rpm == 9
    assert asked("--rpm", "none").rpm is None
    assert asked().store == "s3://bucket/jobs"


def test_upload_is_of_submit_alone():
    assert asked("--upload", command="submit").upload


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--max-in-flight", "0"),
        ("--max-in-flight", "1.5"),
        ("--rpm", "0"),
        ("--rpm", "nan"),
        ("--rpm", "inf"),
        ("--rpm", "-1"),
        ("--budget", "-0.01"),
        ("--budget", "NaN"),
        ("--attempts", "0"),
        ("--timeout", "0"),
        ("--timeout", "1e999"),
        ("--limit", "0"),
        ("--limit", "-3"),
        ("--repeat", "0"),
        ("--confirm-above", "-1"),
        ("--out", ""),
        ("--model", "  "),
        ("--reuse", "--no-such"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_in_one_sentence(capsys, flag, text):
    assert command_line(["run", "shop.csv", flag, text]) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("retouch: ")
    assert said.err.count("\n") == 1


def test_every_option_has_its_variable_and_no_two_commands_mean_different_things_by_one():
    meanings: dict[str, set[str]] = {}
    for listed in COMMANDS.values():
        for param in listed.declare().params:
            if param.param_type_name == "option":
                assert param.envvar.startswith("RETOUCH_"), param.name
                assert param.show_envvar
                meanings.setdefault(param.envvar, set()).add(param.name)

    assert all(len(names) == 1 for names in meanings.values())


def commands() -> Iterator[click.Command]:
    for listed in COMMANDS.values():
        made = listed.declare()
        yield from made.commands.values() if isinstance(made, click.Group) else [made]


@pytest.mark.parametrize("command", list(commands()), ids=lambda command: command.name)
def test_every_command_leads_to_its_work(command):
    """It is imported when the command is called, so that a module that was renamed is missed by nothing before."""
    work = command.callback
    assert callable(getattr(importlib.import_module(work.module), work.function))
