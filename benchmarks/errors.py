"""What ends one measurement and not the others."""

from __future__ import annotations


class BenchmarkError(Exception):
    """Something that was to be measured did not do its work, so that its figures would mean nothing."""
