"""The commands that look at a job: ``status``, ``watch``, ``results``, ``report``, ``verify``."""

from __future__ import annotations

import click

from jobs.command import Command, json_option, option, switch
from jobs.options import JOB, job_argument

_OUTCOMES = ("done", "blocked", "failed", "invalid", "cancelled")


def status() -> Command:
    """``retouch status``."""
    return Command(
        "status",
        "jobs.status:show",
        [job_argument(required=False), json_option("one status object, or a list of all")],
        text=f"Show how one job stands, or all of them, the newest last.\n\n{JOB}",
        examples=("retouch status", "retouch status 20260801-120000-ab12cd --json"),
    )


def watch() -> Command:
    """``retouch watch``."""
    return Command(
        "watch",
        "jobs.watch:watch",
        [job_argument(), json_option("the status at the end")],
        text=f"""Watch a job to its end. Ctrl-C ends the watching alone, and not the job.

    {JOB} Exit code: as `retouch run`.
    """,
        examples=("retouch watch 20260801-120000-ab12cd", "retouch watch s3://bucket/spring"),
    )


def results() -> Command:
    """``retouch results``."""
    return Command(
        "results",
        "jobs.results:show",
        [
            job_argument(),
            option("--outcome", type=click.Choice(_OUTCOMES), help="Rows of this outcome alone."),
            switch("json", help="Print whole records, a line of JSON each."),
            switch("csv", help="Print the table of results.csv."),
        ],
        text=f"Print what came of each row, in the manifest's order, as far as it is settled.\n\n{JOB}",
        examples=(
            "retouch results JOB --outcome failed",
            "retouch results JOB --json | jq -r 'select(.cost_usd > 0.1) | .id'",
            "retouch results JOB --csv > results.csv",
        ),
    )


def report() -> Command:
    """``retouch report``."""
    return Command(
        "report",
        "jobs.report:rewrite",
        [job_argument(), json_option("the status")],
        text=f"Write results.jsonl, results.csv and report.html anew from what is settled.\n\n{JOB}",
        examples=("retouch report 20260801-120000-ab12cd",),
    )


def verify() -> Command:
    """``retouch verify``."""
    return Command(
        "verify",
        "jobs.verify:verify",
        [job_argument(), json_option("what was compared, and every flaw")],
        text=f"""Compare a job's files with its records: is each picture there, with its bytes, its hash and its type;
    is there none that no record knows; do results and report say what the records say. Changes nothing.

    {JOB} Exit code: 0 all is as the records say, 1 it is not.
    """,
        examples=("retouch verify JOB", "retouch verify s3://bucket/spring --json | jq '.flaws[] | .path'"),
    )
