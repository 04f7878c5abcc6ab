"""What was asked for on the command line of ``run``, ``check`` and ``submit``."""

from __future__ import annotations

import msgspec

from pipeline.notify.event import Bound


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a job, checked for their own sense and nothing more.

    Attributes:
        manifest: as typed: a file, a folder, a glob or ``-``.
        store: where job folders and the registry are: ``RETOUCH_STORE``.
        out: the job folder itself, ``None``: ``<store>/<job>``.
        confirm_above: dollars from which the user is asked.
        yes: the user has answered already.
        notify: a webhook, which may be a secret.
    """

    manifest: str
    model: str
    store: str = "./retouch-jobs"
    out: str | None = None
    prompt: str | None = None
    aspect_ratio: str | None = None
    image_size: str | None = None
    max_in_flight: int = 64
    rpm: float | None = None
    budget: float | None = None
    attempts: int = 3
    timeout: float = 300.0
    limit: int | None = None
    repeat: int = 1
    reuse: bool = False
    allow_outside: bool = False
    allow_private_urls: bool = False
    confirm_above: float = 10.0
    yes: bool = False
    upload: bool = False
    notify: str | None = None
    notify_format: str | None = None
    notify_failures: Bound | None = None
    notify_private: bool = False
    notify_command: str | None = None
