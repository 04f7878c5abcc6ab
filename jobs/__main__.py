"""``python -m jobs``: the command ``retouch``, for those who have no script of that name on their path."""

from jobs.cli import main

main()
