"""The commands that steer a job that runs: ``pause``, ``resume``, ``cancel``, ``set``."""

from __future__ import annotations

import math

from jobs.command import Command, json_option, option
from jobs.option_types import Number
from jobs.options import JOB, job_argument


def pause() -> Command:
    """``retouch pause``."""
    return Command(
        "pause",
        "jobs.pause:pause",
        [job_argument(), json_option("the status afterwards")],
        text=f"Pause a job: calls in flight are let finish, no new one is begun, and it stays so.\n\n{JOB}",
        examples=("retouch pause 20260801-120000-ab12cd",),
    )


def resume() -> Command:
    """``retouch resume``."""
    return Command(
        "resume",
        "jobs.pause:resume",
        [job_argument(), json_option("the status afterwards")],
        text=f"Let a paused job go on; one that Redis has lost is built again from its folder.\n\n{JOB}",
        examples=("retouch resume 20260801-120000-ab12cd",),
    )


def cancel() -> Command:
    """``retouch cancel``."""
    return Command(
        "cancel",
        "jobs.cancel:cancel",
        [job_argument(), json_option("the status afterwards")],
        text=f"Cancel a job: calls in flight are let finish, all other rows are settled as cancelled.\n\n{JOB}",
        examples=("retouch cancel 20260801-120000-ab12cd",),
    )


def set_() -> Command:
    """``retouch set``."""
    # Not the variables of run and submit: what .env says of jobs to come must change none that runs.
    return Command(
        "set",
        "jobs.set:change",
        [
            job_argument(),
            option(
                "--rpm",
                type=Number(float, above=0, none=True, nothing=math.inf),
                env="RETOUCH_SET_RPM",
                help="Calls a minute, over all processes; none: no limit.",
            ),
            option(
                "--budget",
                type=Number(float, least=0, none=True, nothing=math.inf),
                env="RETOUCH_SET_BUDGET",
                metavar="USD",
                help="For the whole job, what is spent included; none: no limit.",
            ),
            option(
                "--max-in-flight",
                type=Number(int, least=1),
                env="RETOUCH_SET_MAX_IN_FLIGHT",
                metavar="N",
                help="Calls at the same time, in each process.",
            ),
            option(
                "--timeout",
                type=Number(float, above=0),
                env="RETOUCH_SET_TIMEOUT",
                metavar="SECONDS",
                help="How long a call that begins now may take.",
            ),
            json_option("the status afterwards"),
        ],
        text=f"""Change pace, budget, slots or timeout of a job, while it runs; within seconds it holds everywhere.

    A job that its budget has paused goes on with a new one; one that a person has paused, or that is halted, is for
    `retouch resume`. The next `retouch run` or `retouch submit` of the job says its own limits.

    {JOB}
    """,
        examples=("retouch set JOB --rpm 30", "retouch set JOB --budget 100 --max-in-flight 128"),
    )
