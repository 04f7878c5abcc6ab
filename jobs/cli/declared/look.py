"""The commands that inspect a job: ``status``, ``watch``, ``results``, ``report``, ``verify``."""

from __future__ import annotations

import click

from jobs.cli.command import Command, json_option, option, switch
from jobs.cli.options import JOB, job_argument

_OUTCOMES = ("done", "blocked", "failed", "invalid", "cancelled")


def status() -> Command:
    """``retouch status``."""
    return Command(
        "status",
        "jobs.commands.status:show",
        [job_argument(required=False), json_option("one status, or a list of all,")],
        text=f"Show the status of one job, or list all jobs, newest last.\n\n{JOB}",
        examples=("retouch status", "retouch status 20260801-120000-ab12cd --json"),
    )


def watch() -> Command:
    """``retouch watch``."""
    return Command(
        "watch",
        "jobs.commands.watch:watch",
        [job_argument(), json_option("the final status")],
        text=f"""Follow a job live to its end. Ctrl-C stops watching, not the job.

    {JOB} Exit code: that of `retouch run`.
    """,
        examples=("retouch watch 20260801-120000-ab12cd", "retouch watch s3://bucket/spring"),
    )


def results() -> Command:
    """``retouch results``."""
    return Command(
        "results",
        "jobs.commands.results:show",
        [
            job_argument(),
            option("--outcome", type=click.Choice(_OUTCOMES), help="Only rows with this outcome."),
            switch("json", help="Print the full records, one JSON object per line."),
            switch("csv", help="Print the same table as results.csv."),
        ],
        text=f"Print the result of each row finished so far, in the manifest's order.\n\n{JOB}",
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
        "jobs.commands.report:rewrite",
        [job_argument(), json_option("the status")],
        text=f"Write results.jsonl, results.csv and report.html again, from the rows finished so far.\n\n{JOB}",
        examples=("retouch report 20260801-120000-ab12cd",),
    )


def verify() -> Command:
    """``retouch verify``."""
    return Command(
        "verify",
        "jobs.commands.verify:verify",
        [job_argument(), json_option("what was compared and every difference")],
        text=f"""Compare a job's files with its records: whether each picture exists with the right size, hash
    and type, whether there are pictures without a record, and whether results and report match the records.
    Changes nothing.

    {JOB} Exit code: 0 everything matches, 1 something differs.
    """,
        examples=("retouch verify JOB", "retouch verify s3://bucket/spring --json | jq '.flaws[] | .path'"),
    )
