"""The way of a row, and of a job's rows through one pool of slots."""
