"""Takes rows from their pictures to their records, and a job's rows through one pool of slots."""
