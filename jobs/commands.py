"""Every command as it is typed: its options, its help, its examples, and where its work is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import click

from jobs.command import Command, json_option, option, switch
from jobs.declared import edit
from jobs.declared.schedule import schedule_group
from jobs.options import JOB, command_option, job_argument, place_params, slots_option
from jobs.values import Number, Rule, Text, YesNo

_OUTCOMES = ("done", "blocked", "failed", "invalid", "cancelled")


class Listed(NamedTuple):
    """A command of the table: its line in the help, and what declares it."""

    text: str
    declare: Callable[[], click.Command]


def _worker() -> Command:
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


def _probe() -> Command:
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
    return [
        option("--metrics-port", type=Number(int, least=0), metavar="PORT", help=text),
        option("--metrics-host", type=Text(), default="127.0.0.1", metavar="HOST", help="At this address."),
    ]


def _status() -> Command:
    return Command(
        "status",
        "jobs.status:show",
        [job_argument(required=False), json_option("one status object, or a list of all")],
        text=f"Show how one job stands, or all of them, the newest last.\n\n{JOB}",
        examples=("retouch status", "retouch status 20260801-120000-ab12cd --json"),
    )


def _watch() -> Command:
    return Command(
        "watch",
        "jobs.watch:watch",
        [job_argument(), json_option("the status at the end")],
        text=f"""Watch a job to its end. Ctrl-C ends the watching alone, and not the job.

    {JOB} Exit code: as `retouch run`.
    """,
        examples=("retouch watch 20260801-120000-ab12cd", "retouch watch s3://bucket/spring"),
    )


def _results() -> Command:
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


def _cancel() -> Command:
    return Command(
        "cancel",
        "jobs.cancel:cancel",
        [job_argument(), json_option("the status afterwards")],
        text=f"Cancel a job: calls in flight are let finish, all other rows are settled as cancelled.\n\n{JOB}",
        examples=("retouch cancel 20260801-120000-ab12cd",),
    )


def _pause() -> Command:
    return Command(
        "pause",
        "jobs.pause:pause",
        [job_argument(), json_option("the status afterwards")],
        text=f"Pause a job: calls in flight are let finish, no new one is begun, and it stays so.\n\n{JOB}",
        examples=("retouch pause 20260801-120000-ab12cd",),
    )


def _resume() -> Command:
    return Command(
        "resume",
        "jobs.pause:resume",
        [job_argument(), json_option("the status afterwards")],
        text=f"Let a paused job go on; one that Redis has lost is built again from its folder.\n\n{JOB}",
        examples=("retouch resume 20260801-120000-ab12cd",),
    )


def _set() -> Command:
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


def _report() -> Command:
    return Command(
        "report",
        "jobs.report:rewrite",
        [job_argument(), json_option("the status")],
        text=f"Write results.jsonl, results.csv and report.html anew from what is settled.\n\n{JOB}",
        examples=("retouch report 20260801-120000-ab12cd",),
    )


def _scheduler() -> Command:
    return Command(
        "scheduler",
        "jobs.scheduler:run",
        _metrics_params("Serve /metrics and /healthz here; 0 takes a free port. Not served unless given."),
        text="""Start a scheduler (Celery beat): it starts the runs of the store's schedules, until it is stopped.

    Start two, on two machines, and either may die: a run is started once. Workers do the work.
    """,
        examples=("retouch scheduler", "retouch -v scheduler --log-file scheduler.log"),
    )


def _up() -> Command:
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


def _verify() -> Command:
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


def _models() -> Command:
    return Command(
        "models",
        "jobs.models:show",
        [json_option("the catalogue")],
        text="Show the image models: their state, sizes, aspect ratios and prices, and of which day that is.",
        examples=("retouch models", "retouch models --json | jq -r '.models[].id'"),
    )


def _doctor() -> Command:
    return Command(
        "doctor",
        "jobs.doctor.command:diagnose",
        [*place_params(), json_option("every finding")],
        text="""Look whether everything is in place: key, model and sizes, store, Redis, workers, clock, versions,
    proxy and certificates. It costs nothing, changes nothing, and says of each fault how to mend it.

    Exit code: 0 nothing is at fault, 1 something is.
    """,
        examples=(
            "retouch doctor",
            "retouch doctor --out s3://bucket/spring --image-size 4K",
            "retouch doctor --json | jq -r '.findings[] | select(.grade != \"ok\") | .mend'",
        ),
    )


def _emulator() -> Command:
    return Command(
        "emulator",
        "jobs.emulator:serve",
        _emulator_params(),
        text="""Start a local stand-in for the API. It edits pictures visibly, orders faults, and keeps a ledger of
    every call at /ledger. Its URL is printed first; give it to retouch as GOOGLE_GEMINI_BASE_URL.
    """,
        examples=(
            "retouch emulator --latency lognormal:12:0.5 --fault 'text_only every=10'",
            "GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080 GEMINI_API_KEY=any retouch run shop.csv",
        ),
    )


def _emulator_params() -> list[click.Parameter]:
    def own(name: str, **settings: object) -> click.Option:
        variable = "RETOUCH_EMULATOR_" + name.removeprefix("--").upper().replace("-", "_")
        return option(name, env=variable, **settings)

    return [
        own("--host", default="127.0.0.1", help="Where to listen."),
        own("--port", type=Number(int, least=0), default=8080, help="0 takes a free one."),
        own("--latency", default="0", help="Seconds: 2.5, uniform:1:3 or lognormal:12:0.5."),
        own("--rules", type=click.Path(dir_okay=False), help="Faults to order, in TOML or JSON."),
        own(
            "--fault",
            type=Rule(),
            multiple=True,
            help="One rule, such as 'text_only every=3'; repeatable.",
        ),
        own("--rpm", type=Number(int, least=1), help="Calls in any minute; more get a 429."),
        own("--key", type=Text(), help="The only key that is let in."),
        own("--format", type=click.Choice(("png", "jpeg")), default="png", help="Of the pictures."),
        own("--shrink", type=Number(int, least=1), default=1, help="Divides the edges of the pictures."),
        own("--seed", type=Number(int), default=0, help="Of latencies and chances."),
        own("--ledger", type=click.Path(dir_okay=False), help="Write every call here, as JSON lines."),
        own(
            "--canned",
            is_flag=True,
            type=YesNo(),
            help="One prebuilt body for every call, for benchmarks.",
        ),
        own("--certificate", type=click.Path(dir_okay=False), help="PEM, for https."),
        own("--private-key", type=click.Path(dir_okay=False), help="PEM, for https."),
    ]


#: Every command, by the section of the help in which it is listed.
SECTIONS = {
    "Edit": {
        "check": Listed("Find every fault, the cost and the time, before money is spent.", edit.check),
        "run": Listed("Edit a whole manifest in this process.", edit.run),
        "submit": Listed("Hand a job to the workers.", edit.submit),
        "retry": Listed("Settle again what is not done.", edit.retry),
    },
    "Look": {
        "status": Listed("Show how one job stands, or all of them.", _status),
        "watch": Listed("Watch a job to its end.", _watch),
        "results": Listed("Print what came of each row, as far as it is settled.", _results),
        "report": Listed("Write results and report anew from what is settled.", _report),
        "verify": Listed("Compare a job's files with its records.", _verify),
    },
    "Steer a job that runs": {
        "pause": Listed("Begin no new call for a job.", _pause),
        "resume": Listed("Let a paused job go on.", _resume),
        "cancel": Listed("Cancel a job; calls in flight are let finish.", _cancel),
        "set": Listed("Change pace, budget, slots or timeout of a running job.", _set),
    },
    "Edit by the clock": {
        "schedule": Listed("Bulk edits by the clock.", schedule_group),
        "scheduler": Listed("Start a scheduler, which starts the runs of schedules.", _scheduler),
    },
    "Start what does the work": {
        "up": Listed("Start the whole stack on this machine: server, worker, scheduler.", _up),
        "worker": Listed("Start a worker, which takes jobs from Redis.", _worker),
        "probe": Listed("Ask the worker or scheduler on this machine whether it makes progress.", _probe),
    },
    "Find out": {
        "models": Listed("Show what each model takes, makes and costs.", _models),
        "doctor": Listed("Look whether key, model, store, Redis and workers are in place.", _doctor),
        "emulator": Listed("Start a local stand-in for the API, with faults to order.", _emulator),
    },
}

COMMANDS = {name: listed for section in SECTIONS.values() for name, listed in section.items()}
