"""``retouch run``: from options to :func:`jobs.run.run`, and the view that goes with it."""

from __future__ import annotations

import asyncio
from typing import Any

from jobs.live import open_view
from jobs.options import asked_for
from jobs.run import run


def run_here(*, json: bool, **values: Any) -> int:
    """Do the whole job in this process; its exit code."""
    view = open_view(json=json)
    try:
        return asyncio.run(run(asked_for(values), view))
    finally:
        view.close()
