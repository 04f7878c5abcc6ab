"""obstore, imported at its first use, because a job on disk can do without its 4 MB and its hundredth of a second.

Use ``from pipeline.store import lazy_obstore as obstore`` instead of ``import obstore``.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import obstore.exceptions  # noqa: PLC0415 - what this module is for
    import obstore.store  # noqa: PLC0415

    return getattr(obstore, name)
