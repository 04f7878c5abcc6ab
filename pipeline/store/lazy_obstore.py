"""obstore, imported when a bucket is first named: 4 MB and a hundredth of a second that a job on disk can do without.

``from pipeline.store import lazy_obstore as obstore`` in place of ``import obstore``.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import obstore.exceptions  # noqa: PLC0415 - what this module is for
    import obstore.store  # noqa: PLC0415

    return getattr(obstore, name)
