"""The commands that control a running job: ``pause``, ``resume``, ``cancel``, ``set``."""

from __future__ import annotations

import math

from jobs.cli.command import Command, json_option, option
from jobs.cli.option_types import Number
from jobs.cli.options import JOB, job_argument


def pause() -> Command:
    """``retouch pause``."""
    return Command(
        "pause",
        "jobs.commands.pause:pause",
        [job_argument(), json_option("the new status")],
        text=f"Pause a job: calls in flight finish, and no new ones start until `retouch resume`.\n\n{JOB}",
        examples=("retouch pause 20260801-120000-ab12cd",),
    )


def resume() -> Command:
    """``retouch resume``."""
    return Command(
        "resume",
        "jobs.commands.pause:resume",
        [job_argument(), json_option("the new status")],
        text=f"Continue a paused job. A job that Redis has lost is restored from its folder.\n\n{JOB}",
        examples=("retouch resume 20260801-120000-ab12cd",),
    )


def cancel() -> Command:
    """``retouch cancel``."""
    return Command(
        "cancel",
        "jobs.commands.cancel:cancel",
        [job_argument(), json_option("the new status")],
        text=f"Cancel a job: calls in flight finish, and all other rows are recorded as cancelled.\n\n{JOB}",
        examples=("retouch cancel 20260801-120000-ab12cd",),
    )


def set_() -> Command:
    """``retouch set``."""
    # Not the variables of run and submit: .env sets those for future jobs, and must not change a running one.
    return Command(
        "set",
        "jobs.commands.set:change",
        [
            job_argument(),
            option(
                "--rpm",
                type=Number(float, above=0, none=True, nothing=math.inf),
                env="RETOUCH_SET_RPM",
                help="Calls per minute, in all processes together; none for no limit.",
            ),
            option(
                "--budget",
                type=Number(float, least=0, none=True, nothing=math.inf),
                env="RETOUCH_SET_BUDGET",
                metavar="USD",
                help="Limit for the whole job, including what is already spent; none for no limit.",
            ),
            option(
                "--max-in-flight",
                type=Number(int, least=1),
                env="RETOUCH_SET_MAX_IN_FLIGHT",
                metavar="N",
                help="Parallel calls in each process.",
            ),
            option(
                "--timeout",
                type=Number(float, above=0),
                env="RETOUCH_SET_TIMEOUT",
                metavar="SECONDS",
                help="Time limit of calls that start from now on.",
            ),
            json_option("the new status"),
        ],
        text=f"""Change pace, budget, parallel calls or timeout of a job while it runs. Takes effect everywhere
    within seconds.

    A job that was paused by its budget continues with a higher one. A job that you paused, or that is halted,
    needs `retouch resume`. The next `retouch run` or `retouch submit` of the job uses its own options again.

    {JOB}
    """,
        examples=("retouch set JOB --rpm 30", "retouch set JOB --budget 100 --max-in-flight 128"),
    )
