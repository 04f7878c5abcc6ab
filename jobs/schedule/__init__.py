"""Scheduled jobs: what a schedule is, when it is due, how its runs start, and what became of them."""
