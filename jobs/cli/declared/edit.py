"""The commands that edit: ``check``, ``run``, ``submit``, ``retry``."""

from __future__ import annotations

from jobs.cli.command import Command, json_option, option, switch
from jobs.cli.option_types import Text
from jobs.cli.options import JOB, answer_params, command_option, job_argument, job_params

_MANIFEST = """MANIFEST is a CSV, TSV, JSONL or Parquet file, a folder of pictures, a glob, or - for JSONL on
    standard input."""


def check() -> Command:
    """``retouch check``."""
    return Command(
        "check",
        "jobs.commands.check:check",
        [*job_params(), command_option(), json_option("mistakes and estimates")],
        text=f"""Check a manifest before you pay: list every mistake with its line, and estimate the calls, the
    cost and the time. Changes nothing, calls nothing, fetches no URL.

    {_MANIFEST} Exit code: 0 no mistakes, 1 some, 2 the manifest cannot be read.
    """,
        examples=(
            "retouch check shop.csv",
            "retouch check photos/ --prompt 'white background' --model gemini-3-pro-image",
            "retouch check shop.csv --json | jq '.faults[] | .message'",
        ),
    )


def run() -> Command:
    """``retouch run``."""
    return Command(
        "run",
        "jobs.commands.run:run",
        [*job_params(), command_option(), json_option("the final status")],
        text=f"""Edit a whole manifest in this process, without Redis or workers.

    {_MANIFEST} After an interruption, the same command continues where it stopped; finished rows are not sent
    again.
    """,
        examples=(
            "retouch run shop.csv",
            "retouch run shop.csv --limit 5 --out trial",
            "retouch run 'photos/*.jpg' --prompt 'remove the background' --budget 20",
            "retouch run shop.csv --max-in-flight 200 --rpm 500 --yes --json > status.json",
        ),
    )


def submit() -> Command:
    """``retouch submit``."""
    return Command(
        "submit",
        "jobs.commands.submit:submit",
        [
            *job_params(),
            switch(
                "upload",
                help="Copy the pictures into the job's folder, for workers that cannot read the originals.",
            ),
            json_option("job, out and rows"),
        ],
        text=f"""Hand a job to the workers and print its id. If the job's folder exists already, the job is resumed.

    {_MANIFEST} Exit code: 0 once the job is queued.
    """,
        examples=(
            "retouch submit shop.csv --out s3://bucket/spring",
            "retouch watch $(retouch submit shop.csv --yes)",
            "retouch submit shop.csv --upload --budget 50 --json",
        ),
    )


def retry() -> Command:
    """``retouch retry``."""
    return Command(
        "retry",
        "jobs.commands.retry:retry",
        [
            job_argument(),
            option(
                "--reason",
                metavar="WORDS",
                type=Text(),
                env="RETOUCH_RETRY_REASON",
                help="Only rows with these reasons or outcomes, separated by commas.",
            ),
            # Not RETOUCH_PROMPT: that is for rows without a prompt, this replaces those that rows have.
            option(
                "--prompt",
                type=Text(),
                env="RETOUCH_RETRY_PROMPT",
                help="A new prompt for these rows; may contain {column}.",
            ),
            *answer_params(),
            json_option("the final status"),
        ],
        text=f"""Try again the rows that are not done. Rows that are done are never touched, and records keep
    their earlier attempts. A submitted job goes back to the workers; any other job is run in this process.

    {JOB}
    """,
        examples=(
            "retouch retry JOB",
            "retouch retry JOB --reason text_only,timeout",
            "retouch retry JOB --reason blocked --prompt 'Brighten the background of this photograph.'",
        ),
    )
