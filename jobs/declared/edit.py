"""The commands that edit: ``check``, ``run``, ``submit``, ``retry``."""

from __future__ import annotations

from jobs.command import Command, json_option, option, switch
from jobs.option_types import Text
from jobs.options import JOB, answer_params, command_option, job_argument, job_params

_MANIFEST = """MANIFEST is a CSV, TSV, JSONL or Parquet file, a folder of images, a glob, or - for JSONL on
    standard input."""


def check() -> Command:
    """``retouch check``."""
    return Command(
        "check",
        "jobs.check:check",
        [*job_params(), command_option(), json_option("faults and estimates")],
        text=f"""Find everything that can be known before money is spent: every fault with its line, the number
    of calls, their cost and time. Changes nothing, calls nothing, fetches no URL.

    {_MANIFEST} Exit code: 0 no faults, 1 some, 2 the manifest cannot be read.
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
        "jobs.run:run",
        [*job_params(), command_option(), json_option("the status at the end")],
        text=f"""Edit a whole manifest in this process; no Redis, no worker.

    {_MANIFEST} The same command goes on where it was stopped, and calls only for rows that are not settled.
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
        "jobs.submit:submit",
        [
            *job_params(),
            switch("upload", help="Copy the pictures into the job folder, for workers that cannot see them."),
            json_option("job, out and rows"),
        ],
        text=f"""Hand a job to the workers, and print its id. Submitting to a folder that is there resumes it.

    {_MANIFEST} Exit code: 0 once it is queued.
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
        "jobs.retry:retry",
        [
            job_argument(),
            option(
                "--reason",
                metavar="WORDS",
                type=Text(),
                env="RETOUCH_RETRY_REASON",
                help="Only these: reasons or outcomes, separated by commas.",
            ),
            # Not RETOUCH_PROMPT: that is for rows without a prompt, this replaces those that rows have.
            option(
                "--prompt",
                type=Text(),
                env="RETOUCH_RETRY_PROMPT",
                help="What to do instead; may hold {column}.",
            ),
            *answer_params(),
            json_option("the status at the end"),
        ],
        text=f"""Settle again what is not done; what is done is never touched, and no history is lost. A job that
    was handed to the workers goes back to them, any other is run here and now.

    {JOB}
    """,
        examples=(
            "retouch retry JOB",
            "retouch retry JOB --reason text_only,timeout",
            "retouch retry JOB --reason blocked --prompt 'Brighten the background of this photograph.'",
        ),
    )
