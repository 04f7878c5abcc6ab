"""Bulk edits by the clock: what a schedule is, when it is due, what its runs became."""
