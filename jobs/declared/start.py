"""The commands that start what does the work: ``up``, ``worker``, ``scheduler``; and ``probe``, which asks it."""

from __future__ import annotations

import click

from jobs.command import Command, json_option, option, switch
from jobs.option_types import Number, Text
from jobs.options import command_option, slots_option


def up() -> Command:
    """``retouch up``."""
    return Command(
        "up",
        "jobs.up:up",
        [slots_option("Calls of its worker at the same time; the smaller of this and the job's holds.")],
        text="""Start the whole stack on this machine, without Docker: a Redis-compatible server that keeps its data
    in the store's folder, a worker and a scheduler; one that dies is started again.

    The server listens on this machine alone, at the port of RETOUCH_REDIS_URL (6379). Ctrl-C ends all of it in order:
    calls in flight are let finish. Exit code: 0, 130 by Ctrl-C, 1 when a part of it could not be kept up.
    """,
        examples=("retouch up", "RETOUCH_REDIS_URL=redis://localhost:6380/0 retouch up --max-in-flight 200"),
    )


def worker() -> Command:
    """``retouch worker``."""
    return Command(
        "worker",
        "jobs.worker:work",
        [
            slots_option("Calls at the same time in this process; the smaller of this and the job's holds."),
            *_metrics_params(
                "Serve /metrics and /healthz here; 0 takes a free port. Not served unless given."
            ),
            command_option("any job", " Give it to every worker: one of them runs it."),
            switch("events", help="Send Celery's events, for Flower."),
        ],
        text="""Start a worker: it takes rows of every submitted job, until it is stopped.

    The first Ctrl-C or SIGTERM lets calls in flight finish; another worker goes on with the rest. The second ends it
    at once. Start as many as you like, on as many machines as can reach Redis and the store. One that starts takes up
    every submitted job of its store (RETOUCH_STORE) that is not at its end, also those that Redis has lost.

    RETOUCH_LEASE_SECONDS (10): a dead worker's rows are taken over after so long. The same for all workers.
    RETOUCH_GRACE_SECONDS (the longest --timeout of its jobs, and 30 more): so long may calls in flight go on when the
    worker is told to end; a supervisor must not kill it before. RETOUCH_STALLED_SECONDS (30): so long may messages
    lie unheard before it connects anew; if that does not help, it ends with exit code 1, to be started again.
    """,
        examples=(
            "retouch worker",
            "RETOUCH_REDIS_URL=redis://broker:6379/0 retouch worker --max-in-flight 200",
            "retouch worker --metrics-port 9464",
        ),
    )


def scheduler() -> Command:
    """``retouch scheduler``."""
    return Command(
        "scheduler",
        "jobs.scheduler:run",
        _metrics_params("Serve /metrics and /healthz here; 0 takes a free port. Not served unless given."),
        text="""Start a scheduler (Celery beat): it starts the runs of the store's schedules, until it is stopped.

    Start two, on two machines, and either may die: a run is started once. Workers do the work.
    """,
        examples=("retouch scheduler", "retouch -v scheduler --log-file scheduler.log"),
    )


def probe() -> Command:
    """``retouch probe``."""
    return Command(
        "probe",
        "jobs.probe:probe",
        [
            *_metrics_params("Where the worker or scheduler serves /healthz."),
            json_option("what it said"),
        ],
        text="""Ask the worker or scheduler on this machine whether it makes progress: for the health check of a
    container.

    Progress is judged, not the process: a worker that holds open rows and begins and ends nothing, or that takes no
    message though some lie there, is not healthy; nor is a scheduler that does not look what is due, or any whose
    event loop stands still. One that waits for Redis, for the store or for the API is healthy: another would wait
    for them, too. Exit code: 0 it makes progress, 1 it does not.
    """,
        examples=("retouch probe --metrics-port 9464", "RETOUCH_METRICS_PORT=9464 retouch probe"),
    )


def _metrics_params(text: str) -> list[click.Parameter]:
    """``--metrics-port`` and ``--metrics-host``, of those who serve metrics and those who ask."""
    return [
        option("--metrics-port", type=Number(int, least=0), metavar="PORT", help=text),
        option("--metrics-host", type=Text(), default="127.0.0.1", metavar="HOST", help="At this address."),
    ]
