"""Every command by its name: its line in the help, and what declares it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import click

from jobs.declared import edit, explore, look, start, steer
from jobs.declared.schedule import schedule_group


class Listed(NamedTuple):
    """A command of the table: its line in the help, and what declares it."""

    text: str
    declare: Callable[[], click.Command]


#: Every command, by the section of the help in which it is listed.
SECTIONS = {
    "Edit": {
        "check": Listed("Find every fault, the cost and the time, before money is spent.", edit.check),
        "run": Listed("Edit a whole manifest in this process.", edit.run),
        "submit": Listed("Hand a job to the workers.", edit.submit),
        "retry": Listed("Settle again what is not done.", edit.retry),
    },
    "Look": {
        "status": Listed("Show how one job stands, or all of them.", look.status),
        "watch": Listed("Watch a job to its end.", look.watch),
        "results": Listed("Print what came of each row, as far as it is settled.", look.results),
        "report": Listed("Write results and report anew from what is settled.", look.report),
        "verify": Listed("Compare a job's files with its records.", look.verify),
    },
    "Steer a job that runs": {
        "pause": Listed("Begin no new call for a job.", steer.pause),
        "resume": Listed("Let a paused job go on.", steer.resume),
        "cancel": Listed("Cancel a job; calls in flight are let finish.", steer.cancel),
        "set": Listed("Change pace, budget, slots or timeout of a running job.", steer.set_),
    },
    "Edit by the clock": {
        "schedule": Listed("Bulk edits by the clock.", schedule_group),
        "scheduler": Listed("Start a scheduler, which starts the runs of schedules.", start.scheduler),
    },
    "Start what does the work": {
        "up": Listed("Start the whole stack on this machine: server, worker, scheduler.", start.up),
        "worker": Listed("Start a worker, which takes jobs from Redis.", start.worker),
        "probe": Listed("Ask the worker or scheduler here whether it makes progress.", start.probe),
    },
    "Find out": {
        "models": Listed("Show what each model takes, makes and costs.", explore.models),
        "doctor": Listed("Look whether key, model, store, Redis and workers are in place.", explore.doctor),
        "emulator": Listed("Start a local stand-in for the API, with faults to order.", explore.emulator),
    },
}

COMMANDS = {name: listed for section in SECTIONS.values() for name, listed in section.items()}
