"""What a job may do at most: calls a minute, and dollars."""
