"""``job.json``: what was asked for, frozen when the job begins."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.job.edit_options import EditOptions

#: Rows in a shard, which is claimed, folded and sent as a message as one unit (``architecture.md``).
SHARD_ROWS = 50

#: Options that may differ in a later command on the same folder.
ADJUSTABLE = frozenset({"limit", "rpm", "max_in_flight", "budget", "timeout"})


class Spec(EditOptions, frozen=True, kw_only=True):
    """The frozen specification of a job; its *manifest* is an absolute path or glob, or ``-``.

    Attributes:
        root: the absolute folder that relative picture paths start from.
        uploaded: the inputs were copied into the job folder, under ``.retouch/inputs``.
        note: what users should know about how the job was made, such as what an incremental run has skipped.
    """

    job: str
    out: str
    root: str
    created_at: str
    version: int = 1
    shard_rows: int = SHARD_ROWS
    uploaded: bool = False
    note: str | None = None


def differences(there: Spec, asked: Spec) -> list[str]:
    """The options, as users type them, in which *asked* differs from the job that is *there*."""
    left, right = _identifying(there), _identifying(asked)
    return [_typed(name) for name in left if left[name] != right[name]]


def identity(spec: Spec) -> str:
    """Six hexadecimal digits that identify the job of *spec* by its manifest and its identifying options."""
    options = dict(sorted(_identifying(spec).items()))
    return hashlib.sha256(msgspec.json.encode(options)).hexdigest()[:6]


def new_id(spec: Spec, now: float) -> str:
    """An id that sorts by time and ends with the identity of *spec*, so that jobs can be found by name alone."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{identity(spec)}"


def _identifying(spec: Spec) -> dict[str, Any]:
    """The options that make a job this one and no other."""
    return {name: value for name, value in spec.edit_options().items() if name not in ADJUSTABLE}


def _typed(name: str) -> str:
    return name if name == "manifest" else "--" + name.replace("_", "-")
