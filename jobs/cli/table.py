"""The table of all commands: for each, its line in the help and the function that declares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import click

from jobs.cli.declared import edit, explore, look, start, steer
from jobs.cli.declared.schedule import schedule_group


class Listed(NamedTuple):
    """A command: its line in the help, and the function that declares it."""

    text: str
    declare: Callable[[], click.Command]


#: Every command, by the section of the help in which it is listed.
SECTIONS = {
    "Edit": {
        "check": Listed("Find mistakes and estimate cost and time before you pay.", edit.check),
        "run": Listed("Edit a whole manifest in this process.", edit.run),
        "submit": Listed("Hand a job to the workers.", edit.submit),
        "retry": Listed("Try again the rows that are not done.", edit.retry),
    },
    "Inspect": {
        "status": Listed("Show one job, or all of them.", look.status),
        "watch": Listed("Follow a job live to its end.", look.watch),
        "results": Listed("Print the result of each row finished so far.", look.results),
        "report": Listed("Write the results and the report again.", look.report),
        "verify": Listed("Compare a job's files with its records.", look.verify),
    },
    "Control a running job": {
        "pause": Listed("Stop starting new calls for a job.", steer.pause),
        "resume": Listed("Continue a paused job.", steer.resume),
        "cancel": Listed("Cancel a job; calls in flight still finish.", steer.cancel),
        "set": Listed("Change pace, budget, parallel calls or timeout.", steer.set_),
    },
    "Run on a schedule": {
        "schedule": Listed("Add, list and change scheduled jobs.", schedule_group),
        "scheduler": Listed("Start the process that runs the schedules.", start.scheduler),
    },
    "Start services": {
        "up": Listed("Start a server, a worker and a scheduler on this machine.", start.up),
        "worker": Listed("Start a worker for submitted jobs.", start.worker),
        "probe": Listed("Check that the local worker or scheduler makes progress.", start.probe),
    },
    "Tools": {
        "models": Listed("List the models with sizes and prices.", explore.models),
        "doctor": Listed("Check key, model, store, Redis and workers.", explore.doctor),
        "emulator": Listed("Start a local stand-in for the API that can simulate faults.", explore.emulator),
    },
}

COMMANDS = {name: listed for section in SECTIONS.values() for name, listed in section.items()}
