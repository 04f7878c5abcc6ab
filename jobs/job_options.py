"""What was asked for on the command line of ``run``, ``check`` and ``submit``."""

from __future__ import annotations

from pipeline.job.edit_options import EditOptions
from pipeline.notify.event import Bound


class JobOptions(EditOptions, frozen=True, kw_only=True):
    """The options of a job, each valid by itself; *manifest* is as it was typed.

    Attributes:
        store: where job folders and the registry are: ``RETOUCH_STORE``.
        out: the job folder itself, ``None``: ``<store>/<job>``.
        confirm_above: dollars above which the user is asked.
        yes: the answer to every question is yes.
        notify: a webhook, which may be a secret.
    """

    store: str = "./retouch-jobs"
    out: str | None = None
    confirm_above: float = 10.0
    yes: bool = False
    upload: bool = False
    notify: str | None = None
    notify_format: str | None = None
    notify_failures: Bound | None = None
    notify_private: bool = False
    notify_command: str | None = None

    @property
    def ask_above(self) -> float | None:
        """Dollars above which the user is asked; ``None``: never, because of ``--yes``."""
        return None if self.yes else self.confirm_above
