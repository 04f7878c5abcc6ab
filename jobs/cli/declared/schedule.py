"""The commands of ``retouch schedule``."""

from __future__ import annotations

import click

from jobs.cli.command import Command, Group, json_option, option, switch
from jobs.cli.option_types import Number, Text

_NAME = click.Argument(["name"], type=Text())
_WORK = "jobs.schedule"
_OURS = "RETOUCH_SCHEDULE_"


def schedule_group() -> Group:
    """The commands of ``retouch schedule``."""
    commands = (_add(), _list(), _show(), _run(), _pause(), _resume(), _edit(), _remove())
    return Group(
        "schedule",
        commands={command.name or "": command for command in commands},
        text="""Run jobs on a schedule; `retouch scheduler` or `retouch up` starts the runs.

    After -- come the manifest and options of `retouch submit`. Each run is a job of its own, with its own
    folder and budget. For a folder or a glob, each run edits only the pictures that are new or changed.
    """,
        examples=(
            "retouch schedule add nightly --cron '0 2 * * *' --tz Europe/Paris -- photos/ --prompt 'white'",
            "retouch schedule add hourly --every 1h -- shop.csv --budget 5 --reuse",
            "retouch schedule list",
            "retouch schedule show nightly",
        ),
    )


def _add() -> Command:
    return Command(
        "add",
        f"{_WORK}.define:add",
        [_NAME, _words(required=True), *_timing(), *_policies(), json_option("the schedule")],
        text="""Add a schedule. Give one of --cron, --every and --at. After -- come the manifest and options of
    `retouch submit`.

    With --out after --, each run gets a folder of its own inside that folder.
    """,
        examples=(
            "retouch schedule add nightly --cron '0 2 * * *' --tz Europe/Paris -- photos/ --prompt 'white'",
            "retouch schedule add often --every 30m --overlap queue -- shop.csv --yes",
            "retouch schedule add once --at 2026-12-24T18:00 -- advent.csv --budget 20",
        ),
    )


def _edit() -> Command:
    return Command(
        "edit",
        f"{_WORK}.define:edit",
        [_NAME, _words(required=False), *_timing(), *_policies(), json_option("the schedule")],
        text="""Change a schedule. Options that you give replace the old ones; the rest stays. This applies from
    the next run.

    Runs that were missed before the change are not made up for.
    """,
        examples=(
            "retouch schedule edit nightly --cron '30 3 * * *'",
            "retouch schedule edit nightly -- --budget 10 --image-size 2K",
            "retouch schedule edit nightly -- other-photos/",
        ),
    )


def _list() -> Command:
    return Command(
        "list",
        f"{_WORK}.listing:show_all",
        [json_option("all schedules")],
        text="List the schedules with their next run and the result of the last one.",
        examples=("retouch schedule list", "retouch schedule list --json | jq -r '.[].next[0]'"),
    )


def _show() -> Command:
    count = option(
        "--runs", type=Number(int, least=0), default=10, env=f"{_OURS}RUNS", help="How many runs to show."
    )
    return Command(
        "show",
        f"{_WORK}.listing:show_one",
        [_NAME, count, json_option("the schedule and its runs")],
        text="Show a schedule and the results of its last runs, newest first.",
        examples=("retouch schedule show nightly", "retouch schedule show nightly --runs 100 --json"),
    )


def _run() -> Command:
    return Command(
        "run",
        f"{_WORK}.run:run_now",
        [_NAME, json_option("job, out and the result of the run")],
        text="""Start a run now, even if the schedule is paused.

    Prints the job's id. If there is nothing new to edit, no job is created.
    """,
        examples=("retouch schedule run nightly", "retouch watch $(retouch schedule run nightly)"),
    )


def _pause() -> Command:
    return Command(
        "pause",
        f"{_WORK}.define:pause",
        [_NAME, json_option("the schedule")],
        text="Pause a schedule. A run that is already going continues; to pause it, use `retouch pause JOB`.",
        examples=("retouch schedule pause nightly",),
    )


def _resume() -> Command:
    return Command(
        "resume",
        f"{_WORK}.define:resume",
        [_NAME, json_option("the schedule")],
        text="Resume a paused schedule. Runs missed meanwhile are not made up for.",
        examples=("retouch schedule resume nightly",),
    )


def _remove() -> Command:
    return Command(
        "remove",
        f"{_WORK}.define:remove",
        [_NAME, json_option("the schedule")],
        text="Remove a schedule. Its jobs and their results stay, and a run that is already going continues.",
        examples=("retouch schedule remove nightly",),
    )


def _words(*, required: bool) -> click.Argument:
    metavar = "-- MANIFEST [OPTIONS OF SUBMIT]" if required else "[-- [MANIFEST] [OPTIONS OF SUBMIT]]"
    return click.Argument(["words"], nargs=-1, type=click.UNPROCESSED, required=required, metavar=metavar)


def _timing() -> list[click.Parameter]:
    return [
        option(
            "--cron",
            type=Text(),
            env=f"{_OURS}CRON",
            metavar="'M H D M W'",
            help="Minute, hour, day of month, month, day of week.",
        ),
        option(
            "--every",
            type=Text(),
            env=f"{_OURS}EVERY",
            metavar="TIME",
            help="Interval, such as 30m, 6h or 1d.",
        ),
        option(
            "--at",
            type=Text(),
            env=f"{_OURS}AT",
            metavar="TIME",
            help="Run once at this time, such as 2026-12-24T18:00.",
        ),
        option(
            "--tz",
            type=Text(),
            env=f"{_OURS}TZ",
            metavar="ZONE",
            help="Time zone of --cron and --at, such as Europe/Paris. By default this machine's.",
        ),
    ]


def _policies() -> list[click.Parameter]:
    return [
        option(
            "--overlap",
            type=click.Choice(("skip", "queue")),
            env=f"{_OURS}OVERLAP",
            help="If the previous run is still going: skip this run (default), or queue it.",
        ),
        option(
            "--missed",
            type=click.Choice(("catch-up", "skip")),
            env=f"{_OURS}MISSED",
            help="If runs were missed because no scheduler was running: make up for all by one (default), or skip.",
        ),
        _tri_state(
            "incremental",
            "Edit only new and changed pictures. Default for a folder or a glob.",
        ),
    ]


def _tri_state(name: str, text: str) -> click.Option:
    """A switch that is ``None`` unless it is given."""
    made = switch(name, env=f"{_OURS}{name.upper()}", help=text)
    made.default = None
    return made
