"""Shards in this process: taken, settled, handed over; and the jobs that they are of."""
