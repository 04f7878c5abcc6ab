"""Options and arguments that several commands take; and the options of a job, read from their values."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from jobs import environment
from jobs.cli.command import MONEY, option, switch, under
from jobs.cli.option_types import FailureBound, Number, Text
from jobs.job_options import JobOptions

#: The catalogue's default, repeated here so that help need not read the catalogue; a test compares the two.
DEFAULT_MODEL = "gemini-nano-banana-2.1"

#: In the help of every command that takes a JOB.
JOB = "JOB is a job's id, as listed by `retouch status`, or its folder (a path or URL)."

#: A section of help.
_TELL = "Notifications"

_DEFAULTS = JobOptions(manifest="", model=DEFAULT_MODEL)


def job_argument(*, required: bool = True) -> click.Argument:
    """JOB, of commands about an existing job."""
    return click.Argument(["job"], required=required, type=Text(completed="dir"))


def job_params() -> list[click.Parameter]:
    """MANIFEST and the options of a job, in the order in which help shows them."""
    return [
        click.Argument(["manifest"], type=Text(completed="file")),
        *under("What to edit", [*_what(), *_which()]),
        *under("Pace", _how_fast()),
        *under(MONEY, _how_far()),
        *answer_params(),
        *under("Access", _allowed()),
        *under(_TELL, _told()),
    ]


def command_option(what: str = "the job", note: str = "") -> click.Option:
    """``--notify-command``, of the processes that run it; a job folder never holds one."""
    made = option(
        "--notify-command",
        type=Text(),
        metavar="COMMAND",
        help=f"Run this command when {what} ends, halts, is paused by its budget, or waits. It runs without a shell, "
        f"and finds the facts in JOB_EVENT, JOB_ID and so on, and as JSON on standard input.{note}",
    )
    made.heading = _TELL
    return made


def place_params() -> list[click.Parameter]:
    """The options that say where results would go, and which pictures would be made."""
    return [param for param in _what() if param.name != "prompt"]


def slots_option(text: str) -> click.Option:
    """``--max-in-flight``, of jobs and of workers."""
    default = _DEFAULTS.max_in_flight
    return option("--max-in-flight", type=Number(int, least=1), default=default, metavar="N", help=text)


def asked_for(values: dict[str, Any]) -> JobOptions:
    """The options of a job, from the command line and the environment; other values are ignored."""
    known = {name: value for name, value in values.items() if name in JobOptions.__struct_fields__}
    return msgspec.structs.replace(_DEFAULTS, store=environment.store(), **known)


def _what() -> list[click.Parameter]:
    return [
        option(
            "--out",
            type=Text(completed="dir"),
            metavar="FOLDER",
            help="The job's folder: a path or a URL (s3://…, gs://…). By default <RETOUCH_STORE>/<job>.",
        ),
        option("--prompt", type=Text(), help="The prompt of rows that have none; may contain {column}."),
        option(
            "--model",
            type=Text(),
            default=DEFAULT_MODEL,
            help="The image model; `retouch models` lists them.",
        ),
        option(
            "--aspect-ratio",
            type=Text(),
            metavar="W:H",
            help="For example 16:9. By default the model decides.",
        ),
        option(
            "--image-size", type=Text(), metavar="SIZE", help="For example 2K. By default the model decides."
        ),
    ]


def _how_fast() -> list[click.Parameter]:
    return [
        slots_option("Parallel calls in each process."),
        option(
            "--rpm",
            type=Number(float, above=0, none=True),
            help="Calls per minute, in all processes together.",
        ),
        option(
            "--timeout",
            type=Number(float, above=0),
            default=_DEFAULTS.timeout,
            metavar="SECONDS",
            help="Time limit of one call.",
        ),
    ]


def _which() -> list[click.Parameter]:
    return [
        option("--limit", type=Number(int, least=1, none=True), metavar="N", help="Only the first N rows."),
        option(
            "--repeat",
            type=Number(int, least=1),
            default=_DEFAULTS.repeat,
            metavar="N",
            help="Make N variations of each row, named <id>-1 to <id>-N.",
        ),
        switch(
            "reuse", help="Reuse identical edits of earlier jobs in the store, and send identical rows once."
        ),
    ]


def _how_far() -> list[click.Parameter]:
    return [
        option(
            "--budget",
            type=Number(float, least=0, none=True),
            metavar="USD",
            help="Pause before the job costs more than this.",
        ),
        option(
            "--attempts",
            type=Number(int, least=1),
            default=_DEFAULTS.attempts,
            metavar="N",
            help="Attempts per row. Waiting for a busy API does not count.",
        ),
    ]


def _allowed() -> list[click.Parameter]:
    return [
        switch("allow-outside", help="Allow paths outside the manifest's folder."),
        switch("allow-private-urls", help="Allow URLs with private addresses."),
    ]


def _told() -> list[click.Parameter]:
    return [
        option(
            "--notify",
            type=Text(),
            metavar="URL",
            help="Notify this webhook when the job ends, halts, is paused by its budget, or waits. Slack is "
            "recognised; others get a message as defined by standardwebhooks.com, signed with RETOUCH_NOTIFY_SECRET.",
        ),
        option(
            "--notify-format",
            type=click.Choice(("standard", "slack")),
            help="The message format, if it cannot be recognised by the host.",
        ),
        option(
            "--notify-failures",
            type=FailureBound(),
            metavar="N|P%",
            help="Also notify when more than N rows, or P % of the finished ones, are not done.",
        ),
        switch("notify-private", help="Allow --notify to use a private address."),
    ]


def answer_params() -> list[click.Parameter]:
    """The options that say when the user is asked about costs."""
    return under(
        MONEY,
        [
            option(
                "--confirm-above",
                type=Number(float, least=0),
                default=_DEFAULTS.confirm_above,
                metavar="USD",
                help="Ask before spending more than this; 0 asks before the first call.",
            ),
            switch("yes", help="Answer yes to every question."),
        ],
    )
