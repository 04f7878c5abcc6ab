"""Every error that users may see, on one page.

::

    RetouchError            exit 2   base: a sentence that says what is wrong, where, and how to fix it
    ├── UsageError          exit 2   an option, or a combination of options, makes no sense
    ├── ManifestError       exit 2   the manifest cannot be read at all
    ├── JobError            exit 2   a job is unknown, in use by another process, or has other options
    ├── StoreError          exit 2   results cannot be stored or read
    ├── BrokerError         exit 2   Redis is not available
    ├── KeyMissing          exit 3   no API key
    └── InvalidInput         -       a row can never be sent; this settles the row and never ends the program

Halts (key refused, billing, model gone) are not exceptions: they are a state of the job
(see :class:`pipeline.status.State`), because rows in flight must still be settled.
"""

from __future__ import annotations


class RetouchError(Exception):
    """Base of all errors that users may see. ``str(error)`` is a sentence for them."""

    exit_code = 2


class UsageError(RetouchError):
    """An option, or a combination of options, makes no sense."""


class ManifestError(RetouchError):
    """The manifest cannot be read at all. A mistake in one row is a :class:`pipeline.edit.Fault` instead."""


class JobError(RetouchError):
    """The job is unknown, in use by another process, or has other options than those given."""


class StoreError(RetouchError):
    """The store refused a read or a write. Paid pictures are kept, and written again by the caller."""


class BrokerError(RetouchError):
    """Redis is not available or refuses to serve."""


class KeyMissing(RetouchError):  # noqa: N818 - it names what is missing
    """There is no API key, so no call can be made."""

    exit_code = 3


class InvalidInput(Exception):  # noqa: N818 - it names the outcome of the row
    """A row that can never be sent.

    Attributes:
        code: a short word for the record's reason, such as ``missing``.
        message: what is wrong, where, and how to fix it.
        column: of the manifest; ``None``: the one that names the row's pictures.
    """

    def __init__(self, code: str, message: str, column: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.column = column
