"""The limits of a job: calls per minute, and dollars."""
