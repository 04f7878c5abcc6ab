"""Notifications from the process that runs a job; for submitted jobs, the workers send them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jobs.environment import PREFIX
from jobs.job_options import JobOptions
from pipeline.job.folder import JobFolder
from pipeline.notify.command import words_of
from pipeline.notify.notifier import Notifier
from pipeline.notify.settings import NotifySettings, notify_of, secret_key
from pipeline.urls.public import PublicClients


def notify_asked(asked: JobOptions) -> NotifySettings:
    """Where notifications of the job go, as *asked* for.

    Raises:
        UsageError: the webhook or the command cannot be used.
    """
    words_of(asked.notify_command)
    return notify_of(
        url=asked.notify,
        style=asked.notify_format,
        private=asked.notify_private,
        failures=asked.notify_failures,
    )


def hook() -> str | None:
    """``--notify-command`` from the environment, for commands without the option."""
    return os.environ.get(f"{PREFIX}NOTIFY_COMMAND") or None


@asynccontextmanager
async def notifying(folder: JobFolder, command: str | None) -> AsyncIterator[Notifier]:
    """The notifier of the job in *folder*; the end of the block waits for notifications that are being sent.

    Raises:
        UsageError: *command*, or the secret in the environment, cannot be used.
    """
    clients = PublicClients()
    notifier = Notifier(folder, clients, words_of(command), secret_key())
    try:
        yield notifier
        await notifier.rest()
    finally:
        await clients.aclose()
