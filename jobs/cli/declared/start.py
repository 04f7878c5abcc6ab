"""The commands that start services: ``up``, ``worker``, ``scheduler``; and ``probe``, which checks one."""

from __future__ import annotations

import click

from jobs.cli.command import Command, json_option, option, switch
from jobs.cli.option_types import Number, Text
from jobs.cli.options import command_option, slots_option


def up() -> Command:
    """``retouch up``."""
    return Command(
        "up",
        "jobs.commands.up:up",
        [slots_option("Parallel calls of its worker; the smaller of this and the job's applies.")],
        text="""Start everything that submitted jobs need on this machine: a Redis-compatible server, a worker
    and a scheduler. If one of them dies, it is restarted. The server keeps its data in the store's folder.

    The server accepts local connections only, on the port of RETOUCH_REDIS_URL (6379). Ctrl-C stops everything
    in order, after calls in flight have finished. Exit code: 0, 130 after Ctrl-C, 1 if a part kept failing.
    """,
        examples=("retouch up", "RETOUCH_REDIS_URL=redis://localhost:6380/0 retouch up --max-in-flight 200"),
    )


def worker() -> Command:
    """``retouch worker``."""
    return Command(
        "worker",
        "jobs.commands.worker:work",
        [
            slots_option("Parallel calls in this process; the smaller of this and the job's applies."),
            *_metrics_params(
                "Serve /metrics and /healthz on this port; 0 picks a free one. By default they are not served."
            ),
            command_option("any job", " Give it to every worker; one of them runs it."),
            switch("events", help="Send Celery events, for Flower."),
        ],
        text="""Start a worker. It works on all submitted jobs until it is stopped.

    Start as many as you like, on any machine that can reach Redis and the store. A worker that starts picks up
    every unfinished submitted job in its store (RETOUCH_STORE), including jobs that Redis has lost. After
    Ctrl-C or SIGTERM it finishes its calls in flight and leaves the rest to other workers; a second signal ends
    it at once.

    RETOUCH_LEASE_SECONDS (10): time after which a dead worker's rows are taken over; set the same for all
    workers. RETOUCH_GRACE_SECONDS (the longest --timeout of its jobs plus 30): time that calls in flight get
    when the worker is stopped; a supervisor must not kill it earlier. RETOUCH_STALLED_SECONDS (30): time
    without messages, although some are waiting, after which the worker reconnects; if that does not help, it
    exits with 1 to be restarted.
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
        "jobs.commands.scheduler:run",
        _metrics_params(
            "Serve /metrics and /healthz on this port; 0 picks a free one. By default they are not served."
        ),
        text="""Start a scheduler (Celery beat). It starts the runs of all schedules in the store; workers do
    the work.

    You may run two, on two machines, in case one dies: each run is still started once.
    """,
        examples=("retouch scheduler", "retouch -v scheduler --log-file scheduler.log"),
    )


def probe() -> Command:
    """``retouch probe``."""
    return Command(
        "probe",
        "jobs.commands.probe:probe",
        [
            *_metrics_params("Port on which the worker or scheduler serves /healthz."),
            json_option("its answer"),
        ],
        text="""Check that the worker or scheduler on this machine makes progress. Meant for container health
    checks.

    A worker is unhealthy if it has work but starts and ends no calls, or if it receives no messages although
    some are waiting. A scheduler is unhealthy if it does not look for due runs. Either is unhealthy if its
    event loop stands still. A process that waits for Redis, the store or the API is healthy: restarting it
    would not help. Exit code: 0 healthy, 1 not.
    """,
        examples=("retouch probe --metrics-port 9464", "RETOUCH_METRICS_PORT=9464 retouch probe"),
    )


def _metrics_params(text: str) -> list[click.Parameter]:
    """``--metrics-port`` and ``--metrics-host``, for serving metrics and for ``probe``."""
    return [
        option("--metrics-port", type=Number(int, least=0), metavar="PORT", help=text),
        option(
            "--metrics-host",
            type=Text(),
            default="127.0.0.1",
            metavar="HOST",
            help="Address for --metrics-port.",
        ),
    ]
