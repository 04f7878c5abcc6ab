"""``retouch schedule`` as it is typed."""

from __future__ import annotations

import click

from jobs.command import Command, Group, json_option, option, switch
from jobs.option_types import Number, Text

_NAME = click.Argument(["name"], type=Text())
_WORK = "jobs.schedule"
_OURS = "RETOUCH_SCHEDULE_"


def schedule_group() -> Group:
    """The commands of ``retouch schedule``."""
    commands = (_add(), _list(), _show(), _run(), _pause(), _resume(), _edit(), _remove())
    return Group(
        "schedule",
        commands={command.name or "": command for command in commands},
        text="""Bulk edits by the clock; `retouch scheduler` starts their runs.

    What stands after -- is what `retouch submit` takes; each run is a job of its own, with its own folder and
    --budget. A folder or glob is edited incrementally: each run takes what is new or changed.
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
        text="""Add a schedule. One of --cron, --every and --at says when; after -- comes what `retouch submit` takes.

    --out is then the folder in which each run gets its own.
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
        text="""Change a schedule: what is given replaces what was, the rest stays. The next run follows it.

    Times that passed before the edit are not made up for.
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
        f"{_WORK}.shown:show_all",
        [json_option("all schedules")],
        text="List the schedules: when they run next, and what came of the last run.",
        examples=("retouch schedule list", "retouch schedule list --json | jq -r '.[].next[0]'"),
    )


def _show() -> Command:
    count = option(
        "--runs", type=Number(int, least=0), default=10, env=f"{_OURS}RUNS", help="How many of its runs."
    )
    return Command(
        "show",
        f"{_WORK}.shown:show_one",
        [_NAME, count, json_option("the schedule and its runs")],
        text="Show a schedule and what came of its last runs, the newest first.",
        examples=("retouch schedule show nightly", "retouch schedule show nightly --runs 100 --json"),
    )


def _run() -> Command:
    return Command(
        "run",
        f"{_WORK}.run:run_now",
        [_NAME, json_option("job, out and what became of the run")],
        text="""Start a run now, whatever the clock says; a paused schedule runs, too.

    Prints the job's id. With nothing new to edit, no job is made.
    """,
        examples=("retouch schedule run nightly", "retouch watch $(retouch schedule run nightly)"),
    )


def _pause() -> Command:
    return Command(
        "pause",
        f"{_WORK}.define:pause",
        [_NAME, json_option("the schedule")],
        text="Start no run of a schedule until it is resumed. A run that is going goes on: `retouch pause JOB`.",
        examples=("retouch schedule pause nightly",),
    )


def _resume() -> Command:
    return Command(
        "resume",
        f"{_WORK}.define:resume",
        [_NAME, json_option("the schedule")],
        text="Let a paused schedule go on; times that passed meanwhile are not made up for.",
        examples=("retouch schedule resume nightly",),
    )


def _remove() -> Command:
    return Command(
        "remove",
        f"{_WORK}.define:remove",
        [_NAME, json_option("the schedule")],
        text="Remove a schedule. Its jobs and their results stay, and a run that is going goes on.",
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
            help="Five fields of cron: minute, hour, day of month, month, day of week.",
        ),
        option("--every", type=Text(), env=f"{_OURS}EVERY", metavar="TIME", help="Such as 30m, 6h or 1d."),
        option("--at", type=Text(), env=f"{_OURS}AT", metavar="TIME", help="Once, such as 2026-12-24T18:00."),
        option(
            "--tz",
            type=Text(),
            env=f"{_OURS}TZ",
            metavar="ZONE",
            help="The time zone of --cron and --at, such as Europe/Paris; without it, this machine's.",
        ),
    ]


def _policies() -> list[click.Parameter]:
    return [
        option(
            "--overlap",
            type=click.Choice(("skip", "queue")),
            env=f"{_OURS}OVERLAP",
            help="What to do while the run before is still going; skip unless said.",
        ),
        option(
            "--missed",
            type=click.Choice(("catch-up", "skip")),
            env=f"{_OURS}MISSED",
            help="What to do about times at which no scheduler ran: catch up, once for all, unless said.",
        ),
        _tri_state(
            "incremental",
            "Edit only pictures that are new or changed; so it is for a folder or a glob, unless said.",
        ),
    ]


def _tri_state(name: str, text: str) -> click.Option:
    """A switch that may also be left alone."""
    made = switch(name, env=f"{_OURS}{name.upper()}", help=text)
    made.default = None
    return made
